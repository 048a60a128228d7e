"""Files of captions in JSON: COCO's, Karpathy's, and names with their captions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.data.files import content
from recurra.data.media.cells import Cells, read_cells
from recurra.data.parts import NAMES
from recurra.data.tables import listed
from recurra.errors import DataError
from recurra.tasks.caption.medium import PICTURES, is_picture, picture_name

# Karpathy's parts: what is left of COCO's validation part is learnt from, too.
PARTS = {**NAMES, "restval": "train"}
HEADER = ["image", "caption", "split"]
# Characters of a value that an error shows.
SHOWN = 60


def read_captions(source: Any) -> Cells:
    """A file of captions as a table, a row a caption. Raises DataError."""
    if isinstance(source, str | Path):
        path = Path(source)
        if Path(path.name.lower().removesuffix(".gz")).suffix == ".json":
            whole = _whole(content(path))
            if whole is not None:
                return _annotated(whole, path.name)
    return read_cells(source, PICTURES)


def _whole(raw: bytes) -> dict[str, Any] | None:
    """The one object that a file holds; None where it is a table, or damaged, which its reader tells."""
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _annotated(whole: dict[str, Any], name: str) -> Cells:
    images, annotations = whole.get("images"), whole.get("annotations")
    if isinstance(images, list) and isinstance(annotations, list):
        return _coco(images, annotations, name)
    if isinstance(images, list):
        return _karpathy(images, name)
    if any(is_picture(Path(picture_name(key))) for key in whole):
        return _by_name(whole, name)
    raise DataError(
        "expected captions in JSON (images and annotations as COCO has them, images with sentences, or names "
        f"with their captions), got an object of {listed(list(whole)) or 'nothing'}. Write a table of the "
        "columns image and caption.",
        file=name,
    )


def _coco(images: list[Any], annotations: list[Any], name: str) -> Cells:
    """images: with id and file_name.  annotations: with image_id and caption."""
    captions: dict[Any, list[str]] = {}
    names: dict[Any, str] = {}
    for at, image in enumerate(images, 1):
        key = _value(image, "id", (int, str), f"image {at}", name)
        names[key] = _value(image, "file_name", (str,), f"image {at}", name)
        captions[key] = []
    for at, one in enumerate(annotations, 1):
        what = f"annotation {at}"
        key = _value(one, "image_id", (int, str), what, name)
        if key not in captions:
            raise DataError(
                f"expected the id of one of {len(names):,} images in {what}, got {key!r}. Add the image, or "
                "take the annotation out.",
                file=name,
            )
        captions[key].append(_value(one, "caption", (str,), what, name))
    return _cells([(names[key], captions[key], "") for key in names], name)


def _karpathy(images: list[Any], name: str) -> Cells:
    """images: with filename, sentences of which each has `raw`, and perhaps filepath and split."""
    found = []
    for at, image in enumerate(images, 1):
        what = f"image {at}"
        file = _value(image, "filename", (str,), what, name)
        sentences = _value(image, "sentences", (list,), what, name)
        texts = [_value(one, "raw", (str,), f"a sentence of {what}", name) for one in sentences]
        split = image.get("split", "")
        if split != "" and str(split).lower() not in PARTS:
            raise DataError(
                f"expected train, restval, val or test as the split of {what}, got {split!r}. Correct it.",
                file=name,
            )
        folder = image.get("filepath", "")
        whole = f"{folder}/{file}" if isinstance(folder, str) and folder else file
        found.append((whole, texts, PARTS.get(str(split).lower(), "")))
    return _cells(found, name)


def _by_name(whole: Mapping[str, Any], name: str) -> Cells:
    found = []
    for key, captions in whole.items():
        texts = [captions] if isinstance(captions, str) else captions
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            raise DataError(
                f"expected a caption of {key}, or several in a list, got {_shown(captions)}. Correct it.",
                file=name,
            )
        found.append((key, texts, ""))
    return _cells(found, name)


def _cells(pictures: list[tuple[str, list[str], str]], name: str) -> Cells:
    """A row for each caption, and one for a picture without; rows are told by the picture's number."""
    if not pictures:
        raise DataError("expected pictures and their captions, got none. Give others.", file=name)
    parted = any(split for _, _, split in pictures)
    rows, lines = [], []
    for at, (picture, captions, split) in enumerate(pictures, 1):
        for caption in captions or [""]:
            rows.append([picture, caption, split or "train"][: 2 + parted])
            lines.append(at)
    return Cells(name, HEADER[: 2 + parted], rows, lines, [], "image")


def _value(holder: Any, key: str, kinds: tuple[type, ...], what: str, name: str) -> Any:
    """What an object has under a key. Raises DataError where it is another thing, or not there."""
    found = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(found, kinds):
        return found
    got = f"{key} {_shown(found)}" if found is not None else _shown(holder)
    raise DataError(
        f"expected a {key} in {what}, got {got}. Correct the file, or name the one with the captions.",
        file=name,
    )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
