"""What the captioner makes of folders, files of captions and frames."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from recurra.data.media.drawn import drawn
from recurra.data.media.problems import Problems
from recurra.errors import ConfigError, DataError
from recurra.fit import configure
from recurra.tasks.caption.columns import Columns
from recurra.tasks.caption.config import CaptionConfig
from recurra.tasks.caption.sources import PICTURES, Captioned, Found, read_like, read_sources

SAID = {
    "a.jpg": ("A dog runs, fast .", "two dogs"),
    "b.jpg": ("A cat .",),
    "c.jpg": ("A bird sings .", "it sings", "A small bird"),
}
ROWS = [(name, text) for name, texts in SAID.items() for text in texts]


def painted(folder: Path, names: Sequence[str] = tuple(SAID)) -> Path:
    """A picture of each name, all different."""
    for n, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (10 * n, 0, 0)).save(folder / name, "JPEG")
    return folder


def read(source: object, /, **options: object) -> Found:
    problems = Problems(PICTURES)
    found = read_sources(configure(CaptionConfig, options), source, problems)
    problems.settle(None)
    return found


def later(
    source: object, alone: bool = False, columns: Columns | None = None, captions: str | None = None
) -> list[Captioned]:
    problems = Problems(PICTURES)
    found, _ = read_like(columns or Columns(), source, alone, problems, captions)
    problems.settle(None)
    return found


def said(pictures: Sequence[Captioned]) -> dict[str, tuple[str, ...]]:
    return {one.name: one.captions for one in pictures}


def names(found: Found) -> dict[str, list[str]]:
    return {part: [one.name for one in pictures] for part, pictures in found.parts.items()}


def flickr(path: Path, rows: Sequence[tuple[str, str]] = ROWS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}#{n % 5}\t{text}\n" for n, (name, text) in enumerate(rows)))
    return path


def coco(rows: Sequence[tuple[str, str]] = ROWS) -> dict[str, list[dict[str, object]]]:
    """In COCO's way, where annotations stand in no order."""
    ids = {name: 100 - n for n, name in enumerate(dict.fromkeys(name for name, _ in rows))}
    annotations = [{"image_id": ids[name], "id": n, "caption": text} for n, (name, text) in enumerate(rows)]
    return {
        "images": [{"id": key, "file_name": name, "width": 8} for name, key in ids.items()],
        "annotations": sorted(annotations, key=lambda one: str(one["image_id"])),
    }


def karpathy(splits: Sequence[str], folder: str = "") -> dict[str, list[dict[str, object]]]:
    return {
        "images": [
            {
                "filename": name,
                "filepath": folder,
                "split": split,
                "sentences": [{"raw": one} for one in texts],
            }
            for (name, texts), split in zip(SAID.items(), splits, strict=True)
        ]
    }


def as_text(form: str) -> str:
    """The captions of all pictures in one of the formats."""
    lines = {
        "tab": [f"{name}\t{text}" for name, text in ROWS],
        "flickr": [f"{name}#{n}\t{text}" for n, (name, text) in enumerate(ROWS)],
        "flickr30k": [f"{name}| {n}| {text}" for n, (name, text) in enumerate(ROWS)],
        "ndjson": [json.dumps({"file_name": name, "text": text}) for name, text in ROWS],
        "lists": [json.dumps({"image": name, "captions": texts}) for name, texts in SAID.items()],
        "wide": ["\t".join((name, *texts, *[""] * (3 - len(texts)))) for name, texts in SAID.items()],
        "rows": [json.dumps([{"image": name, "caption": text} for name, text in ROWS])],
        "coco": [json.dumps(coco())],
        "karpathy": [json.dumps(karpathy(("train", "restval", "train")))],
        "names": [json.dumps(SAID)],
    }[form.removesuffix(" with names")]
    heads = {"flickr30k": ["image_name| comment_number| comment"]}
    heads["wide with names"] = ["path\tcaption_1\tcaption_2\tcaption_3"]
    return "".join(f"{line}\n" for line in [*heads.get(form, []), *lines])


def write(path: Path, form: str) -> Path:
    """The same as a file."""
    first, second = zip(*ROWS, strict=True)
    frame = pl.DataFrame({"image": first, "caption": second})
    if form == "comma":
        frame.write_csv(path)
    elif form == "parquet":
        frame.write_parquet(path)
    else:
        path.write_text(as_text(form))
    return path


FORMS = [
    ("captions.csv", "comma"),
    ("captions.txt", "comma"),
    ("any.csv", "comma"),
    ("captions.tsv", "tab"),
    ("Flickr8k.token.txt", "flickr"),
    ("results_20130124.token", "flickr"),
    ("results.csv", "flickr30k"),
    ("captions.parquet", "parquet"),
    ("metadata.jsonl", "ndjson"),
    ("captions.json", "rows"),
    ("metadata.ndjson", "lists"),
    ("captions.csv", "wide with names"),
    ("captions.tsv", "wide"),
    ("annotations.json", "coco"),
    ("dataset_flickr8k.json", "karpathy"),
    ("captions.json", "names"),
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_every_format_says_the_same(tmp_path, name, form):
    whole, apart = tmp_path / "whole", painted(tmp_path / "apart" / "deep")
    painted(whole / "images")
    table = write(whole / name, form)
    for source in (whole, table, [apart.parent, table], [table, apart]):
        found = read(source)
        assert [*found.parts] == ["train"]
        train = found.parts["train"]
        assert [one.captions for one in train] == [*SAID.values()]
        assert [Path(one.name).name for one in train] == [*SAID]
        folder = apart if isinstance(source, list) else whole / "images"
        assert [one.path for one in train] == [folder / one for one in SAID]
        assert train[1].place.startswith(f"{train[1].name} ({name}, ")
    assert [one.captions for one in read(apart, captions=str(table)).parts["train"]] == [*SAID.values()]


def test_places_are_told_as_an_editor_counts(tmp_path):
    painted(tmp_path)
    for name, form, place in (
        ("captions.csv", "comma", "line 4"),
        ("token.txt", "flickr", "line 3"),
        ("all.json", "coco", "image 2"),
        ("captions.parquet", "parquet", "row 3"),
    ):
        found = read(write(tmp_path / name, form)).parts["train"]
        assert found[1].place == f"b.jpg ({name}, {place})"


def test_frames(tmp_path):
    painted(tmp_path)
    first, second = zip(*ROWS, strict=True)
    frame = pl.DataFrame({"image": [f"{tmp_path}/{one}" for one in first], "caption": second})
    for source in (frame, frame.to_pandas()):
        assert [*said(read(source).parts["train"]).values()] == [*SAID.values()]
    lists = frame.group_by("image", maintain_order=True).agg("caption")
    assert [*said(later(lists)).values()] == [*SAID.values()]
    assert [one.captions for one in later(frame.select("image"), alone=True)] == [(), (), ()]
    with pytest.raises(ConfigError, match=r"expected captions in one place, .* captions beside a frame"):
        read(frame, captions="captions.csv")


def test_captions_beside_the_pictures(tmp_path):
    for name, texts in SAID.items():
        painted(tmp_path / "in", [name])
        (tmp_path / "in" / name).with_suffix(".txt").write_text("\n".join(texts) + "\n\n")
    (tmp_path / "README.txt").write_text("about")
    assert said(read(tmp_path).parts["train"]) == {f"in/{name}": texts for name, texts in SAID.items()}
    assert said(later(tmp_path / "in" / "b.jpg")) == {"b.jpg": SAID["b.jpg"]}
    assert [*said(later([tmp_path / "in" / "b.jpg", tmp_path / "in" / "a.jpg"])).values()] == [
        SAID["b.jpg"],
        SAID["a.jpg"],
    ]
    (tmp_path / "in" / "a.txt").write_text("\n")
    (tmp_path / "in" / "x.txt").write_text("x")
    (tmp_path / "in" / "b.txt").unlink()
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        "expected pictures that can be used, each with its caption, got 2 pictures without a caption (the "
        "first is b.jpg, which has no b.txt beside it) and 1 file of captions without a picture (the first "
        "is x.txt). Correct them, or take them out."
    )


def test_parts_by_the_names_of_tables_and_folders(tmp_path):
    for part, name in (("train", "a.jpg"), ("val", "b.jpg"), ("test", "c.jpg")):
        rows = [row for row in ROWS if row[0] == name]
        painted(tmp_path / "tables" / "images", [name])
        flickr(tmp_path / "tables" / f"captions_{part}.tsv", rows)
        painted(tmp_path / "coco" / f"{part}2017", [name])
        (tmp_path / "coco" / "annotations").mkdir(exist_ok=True)
        (tmp_path / "coco" / "annotations" / f"captions_{part}2017.json").write_text(json.dumps(coco(rows)))
        (tmp_path / "coco" / "annotations" / f"instances_{part}2017.json").write_text("{}")
        painted(tmp_path / "folders" / part, ["1.jpg"])
        (tmp_path / "folders" / part / "metadata.csv").write_text(f"file_name,text\n1.jpg,{part}\n")
    expected = {"train": ["a.jpg"], "valid": ["b.jpg"], "test": ["c.jpg"]}
    for form in ("tables", "coco"):
        found = read(tmp_path / form)
        assert names(found) == expected
        assert [one.name for one in later(tmp_path / form)] == ["c.jpg"]
    assert read(tmp_path / "coco").parts["valid"][0].path == tmp_path / "coco" / "val2017" / "b.jpg"
    apart = [tmp_path / "tables" / f"captions_{part}.tsv" for part in ("train", "val", "test")]
    assert names(read(apart)) == names(read([*apart, tmp_path / "tables" / "images"])) == expected
    found = read(tmp_path / "folders")
    assert {part: said(some) for part, some in found.parts.items()} == {
        part: {"1.jpg": (name,)} for part, name in (("train", "train"), ("valid", "val"), ("test", "test"))
    }
    assert names(read(tmp_path / "tables", test=0)) == {"train": ["a.jpg"], "valid": ["b.jpg"]}
    with pytest.raises(ConfigError, match="expected a valid part by names or a column of the source, or by"):
        read(tmp_path / "tables", valid=str(apart[1]))
    with pytest.raises(DataError, match="expected pictures to learn from, got those of test alone"):
        read(pl.DataFrame({"image": ["a.jpg"], "caption": ["a"], "split": ["test"]}))


def test_parts_by_a_column_and_by_karpathy(tmp_path):
    painted(tmp_path)
    table = tmp_path / "captions.csv"
    table.write_text("split,image,caption\nval,b.jpg,x\ntrain,a.jpg,y\ntest,c.jpg,z\n")
    expected = {"train": ["a.jpg"], "valid": ["b.jpg"], "test": ["c.jpg"]}
    assert names(read(tmp_path)) == expected
    table.write_text("split,image,caption\nval,b.jpg,x\nodd,a.jpg,y\n")
    with pytest.raises(DataError, match=r"captions\.csv, line 3, column 'split': expected train, valid or"):
        read(table)
    painted(tmp_path / "val2014")
    (tmp_path / "dataset.json").write_text(json.dumps(karpathy(("restval", "val", "test"), "val2014")))
    found = read(tmp_path / "dataset.json")
    assert names(found) == {part: [f"val2014/{one}" for one in some] for part, some in expected.items()}


def test_a_file_of_captions_or_a_list_of_names_is_kept_back(tmp_path):
    painted(tmp_path / "images")
    whole = flickr(tmp_path / "captions.tsv")
    (tmp_path / "dev.txt").write_text("b.jpg\nc.jpg\n")
    flickr(tmp_path / "texts" / "more.tsv", [("a.jpg", "again"), ("b.jpg", "once more")])
    for source, options in (
        (whole, {}),
        (tmp_path / "images", {"captions": str(whole)}),
        ([tmp_path / "images", whole], {}),
    ):
        listed = read(source, valid=str(tmp_path / "dev.txt"), **options)
        assert names(listed) == {"train": ["a.jpg"], "valid": ["b.jpg", "c.jpg"]}
        assert said(listed.parts["valid"])["c.jpg"] == SAID["c.jpg"]
        named = read(source, test=str(tmp_path / "texts" / "more.tsv"), **options)
        assert names(named) == {"train": [*SAID], "test": ["a.jpg", "b.jpg"]}
        assert said(named.parts["test"])["b.jpg"] == ("once more",)
    (tmp_path / "held.csv").write_text("image\nimages/b\n")
    assert names(read(whole, valid=str(tmp_path / "held.csv")))["valid"] == ["b.jpg"]
    painted(tmp_path / "dir", ["q.jpg"])
    (tmp_path / "dir" / "captions.csv").write_text("image,caption\nq.jpg,one\n")
    assert said(read(whole, test=str(tmp_path / "dir")).parts["test"]) == {"q.jpg": ("one",)}
    (tmp_path / "dev.txt").write_text("b.jpg\nz.jpg\n")
    with pytest.raises(
        DataError,
        match=r"1 picture without a caption \(the first is z\.jpg \(dev\.txt, line 2\): the source has no",
    ):
        read(whole, valid=str(tmp_path / "dev.txt"))
    (tmp_path / "dev.txt").write_text("y.jpg\nz.jpg\n")
    with pytest.raises(DataError) as caught:
        read(whole, valid=str(tmp_path / "dev.txt"))
    assert str(caught.value) == (
        "dev.txt: expected names of the source's pictures, such as a.jpg, got 2 others. Name pictures that "
        "it has captions of."
    )
    with pytest.raises(DataError, match="expected a file, got nothing at 'gone'"):
        read(whole, valid="gone")


def test_captions_are_kept_once_and_not_empty(tmp_path):
    painted(tmp_path)
    table = tmp_path / "captions.csv"
    table.write_text(
        "image,caption\na.jpg,one\nb.jpg,two\na.jpg,\na.jpg, one \nb.jpg,Two\nb.jpg,two\nc.jpg,x\n"
    )
    found = read(table)
    assert said(found.parts["train"]) == {"a.jpg": ("one",), "b.jpg": ("two", "Two"), "c.jpg": ("x",)}
    assert found.remarks == [
        "left out: 1 caption without a word; the first is of a.jpg (captions.csv, line 4)",
        "left out: 2 captions that its picture has twice; the first is of a.jpg (captions.csv, line 5)",
    ]
    table.write_text("image,caption\na.jpg,one\nb.jpg,  \nb.jpg,\n")
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(
        DataError,
        match=r"got 1 picture that is not there \(the first is a\.jpg \(captions\.csv, line 2\): nothing "
        r"at .*a\.jpg\) and 1 "
        r"picture without a caption \(the first is b\.jpg \(captions\.csv, line 3\)\)",
    ):
        read(table)


def test_pictures_that_nothing_names(tmp_path):
    painted(tmp_path / "images")
    table = flickr(tmp_path / "captions.tsv", ROWS[:2])
    with pytest.raises(DataError, match=r"2 pictures without a caption \(the first is images/b\.jpg, which"):
        read(tmp_path)
    found = read(tmp_path / "images", captions=str(table))
    assert found.remarks == [
        f"not read: 2 pictures without a caption, as {tmp_path / 'images' / 'b.jpg'}",
    ]
    assert later(tmp_path / "images", captions=str(table)) == found.parts["train"]
    assert said(later([tmp_path / "images" / "a.jpg", table])) == {"a.jpg": SAID["a.jpg"]}
    apart = painted(tmp_path / "x", ["b.jpg", "a.jpg"])
    assert later([apart / "a.jpg", table])[0].path == apart / "a.jpg"
    with pytest.raises(DataError, match=r"1 picture without a caption \(the first is .*b\.jpg\)"):
        later([tmp_path / "images" / "b.jpg", table])


def test_features_stand_for_pictures(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    painted(tmp_path, ["b.jpg"])
    np.save(tmp_path / "b.npy", np.zeros(3))
    table = flickr(tmp_path / "captions.tsv", ROWS[:3])
    found = {one.name: one.path.name for one in read(tmp_path).parts["train"]}
    assert found == {"a.jpg": "a.npy", "b.jpg": "b.jpg"}
    assert [one.name for one in later(tmp_path, alone=True)] == ["a.npy", "b.jpg"]
    shutil.copytree(tmp_path, tmp_path / "x" / "deep")
    assert [one.path.name for one in later([tmp_path / "x", table])] == ["a.npy", "b.jpg"]


def test_pictures_are_found_without_their_ending_but_not_by_a_name_that_two_have(tmp_path):
    painted(tmp_path / "x", ["1/a.jpg", "1/b.jpg", "2/b.jpg"])
    table = tmp_path / "t.csv"
    table.write_text("image,caption\na,one\n")
    assert later([tmp_path / "x", table])[0].path == tmp_path / "x" / "1" / "a.jpg"
    table.write_text("image,caption\nb.jpg,one\n")
    with pytest.raises(DataError, match=r"1 picture that is not there \(the first is b\.jpg"):
        later([tmp_path / "x", table])
    # Longer than any file's name may be, and so a caption.
    table.write_text(f"{'long ' * 80}\ta.jpg\n")
    assert later([tmp_path / "x", table])[0].captions == (("long " * 80).strip(),)


def test_pictures_alone(tmp_path):
    painted(tmp_path)
    order = ["c.jpg", "a.jpg"]
    (tmp_path / "list.txt").write_text("".join(f"{name}\n" for name in order))
    for source in (tmp_path / "list.txt", [tmp_path, tmp_path / "list.txt"]):
        assert [one.name for one in later(source, alone=True)] == order
    assert [one.name for one in later(tmp_path, alone=True)] == [*SAID]
    paths = [tmp_path / name for name in order]
    assert [one.path for one in later(paths, alone=True)] == paths
    assert later(str(paths[0]), alone=True) == [Captioned(paths[0], str(paths[0]), (), str(paths[0]))]
    with pytest.raises(DataError, match=r"1 picture that is not there \(the first is .*gone\.jpg\)"):
        later(tmp_path / "gone.jpg", alone=True)


def test_columns_are_named(tmp_path):
    painted(tmp_path)
    table = tmp_path / "all.csv"
    table.write_text("what,image,en1,en2\na.jpg,x,one,two\nb.jpg,x,three,\n")
    options = {"path": "what", "text": "en"}
    expected = {"a.jpg": ("one", "two"), "b.jpg": ("three",)}
    assert said(read(table, **options).parts["train"]) == expected
    assert said(later(table, columns=Columns(**options))) == expected
    one = Columns(path="what", text="en1")
    assert said(later(table, columns=one)) == {"a.jpg": ("one",), "b.jpg": ("three",)}
    with pytest.raises(
        DataError,
        match=r"all\.csv: expected a column of captions, called caption, captions, text or comment, got "
        r"what, image, en1, en2\. Name it with text\.",
    ):
        read(table, path="what")
    table.write_text("x,y,z\n1,2,3\n")
    with pytest.raises(
        DataError, match="expected a column of paths of pictures, called image, path, file or"
    ):
        read(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            json.dumps({"images": coco()["images"], "annotations": [{"image_id": 7, "caption": "x"}]}),
            "all.json: expected the id of one of 3 images in annotation 1, got 7. Add the image, or take the "
            "annotation out.",
        ),
        (
            json.dumps({"images": coco()["images"], "annotations": [{"image_id": 100, "bbox": [1]}]}),
            'all.json: expected a caption in annotation 1, got {"image_id": 100, "bbox": [1]}. Correct the '
            "file, or name the one with the captions.",
        ),
        (
            json.dumps({"images": [{"id": 1, "file_name": 5}], "annotations": []}),
            "all.json: expected a file_name in image 1, got file_name 5. Correct the file, or name the one "
            "with the captions.",
        ),
        (
            json.dumps({"images": [{"filename": "a.jpg", "sentences": [{"raw": "x"}], "split": "odd"}]}),
            "all.json: expected train, restval, val or test as the split of image 1, got 'odd'. Correct it.",
        ),
        (
            json.dumps({"images": [{"filename": "a.jpg", "sentences": [{"tokens": ["x" * 80]}]}]}),
            f'all.json: expected a raw in a sentence of image 1, got {{"tokens": ["{"x" * 47}…. Correct the '
            "file, or name the one with the captions.",
        ),
        (
            json.dumps({"images": []}),
            "all.json: expected pictures and their captions, got none. Give others.",
        ),
        (
            json.dumps({"a.jpg": 3}),
            "all.json: expected a caption of a.jpg, or several in a list, got 3. Correct it.",
        ),
        (
            json.dumps({"info": 1, "more": 2}),
            "all.json: expected captions in JSON (images and annotations as COCO has them, images with "
            "sentences, or names with their captions), got an object of info, more. Write a table of the "
            "columns image and caption.",
        ),
        (
            '{"images": [{"id": 1',
            'all.json, line 1: expected one JSON object, got \'{"images": [{"id": 1\'. Correct the line.',
        ),
    ],
)
def test_json_that_cannot_be_read(tmp_path, text, message):
    (tmp_path / "all.json").write_text(text)
    with pytest.raises(DataError) as caught:
        read(tmp_path / "all.json")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"all\.csv: expected pictures, a line each, got an empty file"),
        (
            "a.jpg\nb.jpg\n",
            r"line 1: expected the path of a picture and its caption, got one column\. Add the",
        ),
        ("image,caption\na.jpg,x\n,y\n", r"line 3, column 'image': expected the path of a picture, got an"),
        ("image,caption\na.jpg,x,y\n", r"line 2: expected 2 columns as in the other lines, got 3"),
    ],
)
def test_tables_of_captions_that_cannot_be_read(tmp_path, text, message):
    painted(tmp_path)
    (tmp_path / "all.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "all.csv")


def test_folders_without_captions_or_pictures(tmp_path):
    painted(tmp_path / "in")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "in")
    assert str(caught.value) == (
        f"expected captions beside the pictures, got 3 pictures in {str(tmp_path / 'in')!r} and no caption. "
        "Write a table captions.csv in the folder, with the columns image and caption, or a file of the same "
        "name that ends in .txt beside each picture."
    )
    for name in ("one.csv", "two.csv"):
        (tmp_path / "in" / name).write_text("image,caption\n")
    with pytest.raises(DataError, match="expected one table of captions, or tables called train, valid and"):
        read(tmp_path / "in")
    (tmp_path / "in" / "one.csv").write_text("image,caption\na.jpg,x\n")
    with pytest.raises(ConfigError, match=r"expected captions in one place, got .* beside .*one\.csv\. Name"):
        read(tmp_path / "in" / "one.csv", captions=str(tmp_path / "in" / "two.csv"))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.heic").write_bytes(b"x")
    table = flickr(tmp_path / "captions.tsv")
    for source in (tmp_path / "raw", [tmp_path / "raw", table]):
        with pytest.raises(DataError, match=r"expected pictures as JPEG, .* got 1 as \.heic\. Convert them"):
            read(source)
    with pytest.raises(DataError, match="expected a file or a folder, got nothing at 'gone'"):
        read([tmp_path / "in", table, "gone"])
    with pytest.raises(DataError, match="expected a folder or a table of pictures, got no path"):
        read(None)


def test_what_is_not_read_is_told(tmp_path):
    painted(tmp_path)
    flickr(tmp_path / "captions.tsv")
    flickr(tmp_path / "Flickr8k.token.txt")
    painted(tmp_path / "more", ["token.jpg"])
    flickr(tmp_path / "captions.tsv", [*ROWS, ("more/token.jpg", "a coin")])
    (tmp_path / "notes.csv").write_text("x\n")
    (tmp_path / "wide.tsv").write_text("0\ta.jpg\tone\t7\ttwo\n")
    assert read(tmp_path).remarks == ["not read: Flickr8k.token.txt, notes.csv, wide.tsv"]
    found = read(tmp_path / "wide.tsv")
    assert found.parts["train"][0].captions == ("one", "two")
    assert found.remarks == [
        "columns: 5 without names, of which column 2 and column 3 and column 5 are read (wide.tsv)"
    ]


@pytest.mark.parametrize("seed", range(4))
def test_files_of_a_key_are_drawn_together(seed):
    keys = [f"k{n % 40}" for n in range(120)]
    rng = np.random.default_rng(seed)
    found = drawn({"valid": 0.1, "none": 0, "test": None}, keys, rng, usual=0.2, most=9)
    for key in {*keys}:
        assert len({found[n] for n in range(120) if keys[n] == key}) == 1
    assert np.bincount(found, minlength=4).tolist() == [99, 12, 0, 9]
