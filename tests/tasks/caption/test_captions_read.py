"""From files to pictures and tokens: what is seen, split, left out, and said about it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pictures need Pillow")

from things import SMALL, write_things

from recurra.data.images import read_image
from recurra.data.tokens import UNKNOWN
from recurra.errors import ConfigError, DataError
from recurra.fit import configure
from recurra.tasks.caption.config import CaptionConfig
from recurra.tasks.caption.data import CaptionData, read_later, read_pictures


def read(source: Any, **options: Any) -> CaptionData:
    return read_pictures(configure(CaptionConfig, {**SMALL, **options}), source)


def promising(shape: tuple[int, ...]) -> bytes:
    """A file of features whose heading says more than it holds."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(64)


def test_what_is_seen_is_what_the_files_hold(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    data = read(folder, test=0.2)
    assert [len(part) for part in (data.train, data.valid, data.test)] == [14, 2, 4]
    for part in (data.train, data.valid, data.test):
        for n, name in enumerate(part.pictures.names):
            seen = part.pictures.look(np.array([n]))[0]
            np.testing.assert_array_equal(seen, read_image(folder / name, 32).pixels)
            told = [data.schema.tokens.decode(part.target[m]) for m in part.captions_of(n)]
            assert [text.split()[0] for text in told] == ["a", "a"]
    assert data.train.pictures.sizes.tolist() == [[64, 64]] * 14


def test_taking_some_takes_their_captions(tmp_path: Path) -> None:
    data = read(write_things(tmp_path / "pictures", 20))
    some = data.train.take(np.array([3, 1]))
    for at, n in enumerate((3, 1)):
        expected = [data.train.target[m].tolist() for m in data.train.captions_of(n)]
        assert [some.target[m].tolist() for m in some.captions_of(at)] == expected
    assert some.pictures.names == [data.train.pictures.names[n] for n in (3, 1)]


def test_the_same_file_twice_is_in_one_part(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    rows = (folder / "captions.csv").read_text().splitlines()
    for n in range(20):
        shutil.copy(folder / f"{n:04}.png", folder / f"again{n:02}.png")
        rows.append(f"again{n:02}.png,a copy of it")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    data = read(folder, test=0.3)
    parts = [set(part.pictures.digests) for part in (data.train, data.valid, data.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


def test_a_picture_that_two_parts_share_is_told(tmp_path: Path) -> None:
    train, test = (write_things(tmp_path / name, 12, seed=3) for name in ("train", "test"))
    data = read(str(train), test=str(test))
    twice = [line for line in data.found if line.startswith("twice: ")]
    assert any("of the test part are in the training part, too" in line for line in twice)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "1 damaged picture"),
        (lambda path: path.unlink(), "1 picture that is not there"),
        (lambda path: path.write_bytes(b""), "1 damaged picture"),
        (lambda path: path.write_text("no picture at all"), "1 damaged picture"),
    ],
)
def test_what_cannot_be_used_is_named_and_left_out_with_consent(
    damage: Any, told: str, tmp_path: Path
) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    damage(folder / "0003.png")
    with pytest.raises(DataError, match=told) as error:
        read(folder)
    assert "0003.png" in str(error.value)
    assert "skip" in str(error.value)
    data = read(folder, skip=True)
    assert sum(len(part) for part in (data.train, data.valid, data.test)) == 19
    assert any(line.startswith(f"left out: {told}") for line in data.found)


def test_captions_without_a_word_are_no_captions(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    table = folder / "captions.csv"
    rows = [row for row in table.read_text().splitlines() if not row.startswith("0002.png")]
    table.write_text("\n".join([*rows, "0002.png,..."]) + "\n")
    with pytest.raises(DataError, match="1 picture without a caption"):
        read(folder)


def test_words_are_read_as_people_mean_them(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    table = folder / "captions.csv"
    rows = table.read_text().splitlines()
    spelt = [row.replace(",a ", ',"A ') + '!"' if n else row for n, row in enumerate(rows)]
    table.write_text("\n".join(spelt) + "\n")
    data = read(folder)
    texts = [text for some in data.train.pictures.captions for text in some]
    assert all(text == text.lower() and "!" not in text for text in texts)
    kept = read(folder, lower=False)
    assert kept.train.pictures.captions[0][0].startswith("A ")


def test_rare_words_are_unknown_and_told(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    table = folder / "captions.csv"
    table.write_text(table.read_text() + "".join(f"{n:04}.png,something odd{n}\n" for n in range(20)))
    data = read(folder)
    assert (data.train.target.values == UNKNOWN).any()
    assert any(line.startswith("unknown: ") for line in data.found)


@pytest.mark.parametrize("shape", [(9, 5), (3, 3, 5), (5,)])
def test_features_from_files(shape: tuple[int, ...], tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    rng = np.random.default_rng(0)
    for path in sorted(folder.glob("*.png")):
        np.save(path.with_suffix(".npy"), rng.normal(size=shape).astype(np.float32))
        path.unlink()
    data = read(folder, side=None)
    expected = np.load(folder / Path(data.train.pictures.names[0]).with_suffix(".npy"))
    parts = expected.reshape(-1, 5)
    np.testing.assert_array_equal(data.train.pictures.look(np.array([0]))[0], parts)
    assert data.schema.shape.side == 0
    assert np.prod(data.schema.shape.grid) == len(parts)
    later = read_later(data.schema, folder, alone=True)
    assert len(later.test) == 20


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (np.zeros((2, 5), np.float32), "expected features (1, 9, 5) as in the other files, got (1, 2, 5)"),
        (np.full((9, 5), np.nan, np.float32), "finite"),
        (np.array(["a"]), "as numbers"),
        (np.zeros((0, 5), np.float32), "finite features, got none"),
        (b"no array", "cannot be read"),
        (promising((10**9, 10**9)), "cannot be read"),
    ],
)
def test_features_that_cannot_be_used(content: Any, told: str, tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    for path in sorted(folder.glob("*.png")):
        np.save(path.with_suffix(".npy"), np.ones((9, 5), np.float32))
        path.unlink()
    if isinstance(content, bytes):
        (folder / "0007.npy").write_bytes(content)
    else:
        np.save(folder / "0007.npy", content)
    with pytest.raises(DataError) as error:
        read(folder, side=None)
    assert told in str(error.value)
    assert "0007" in str(error.value)


def test_features_that_need_pickle_are_not_opened(tmp_path: Path) -> None:
    folder = write_things(tmp_path / "pictures", 20)
    for path in sorted(folder.glob("*.png")):
        np.save(path.with_suffix(".npy"), np.array([{"a": 1}], dtype=object), allow_pickle=True)
        path.unlink()
    with pytest.raises(DataError, match="which none can be read"):
        read(folder, side=None)


def test_too_few_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected pictures to train, validate and test on, got too few"):
        read(write_things(tmp_path / "pictures", 2))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"valid": 0}, "expected pictures for validation"),
        ({"valid": 0.5, "test": 0.5}, "expected shares that leave pictures"),
        ({"side": 64, "backbone": "x.onnx"}, "expected pictures of the size that the backbone reads"),
        ({"side": 8}, "side"),
        ({"side": 50}, "multiple of 16"),
        ({"beam": 0}, "beam"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        configure(CaptionConfig, options)
