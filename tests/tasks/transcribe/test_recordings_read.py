"""What the recogniser makes of folders, tables and frames of recordings."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from small_recordings import listed, recorded, spoken, texts

from recurra.errors import ConfigError, DataError
from recurra.fit import configure
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.data import TranscribeData, read_later, read_recordings

PARTS = ("train", "valid", "test")


def read(source: object, /, **options: object) -> TranscribeData:
    return read_recordings(configure(TranscribeConfig, {"lm": "none", **options}), source)


def said(data: TranscribeData) -> dict[str, str]:
    """Texts by the names of their recordings, over all parts."""
    found = {}
    for part in (data.train, data.valid, data.test):
        assert part.recordings.texts is not None
        found |= dict(zip(part.recordings.names, part.recordings.texts, strict=True))
    return found


def lengths(data: TranscribeData) -> list[int]:
    return [len(part) for part in (data.train, data.valid, data.test)]


@pytest.mark.parametrize("name", ["transcripts.csv", "transcripts.tsv", "metadata.csv", "other.csv"])
@pytest.mark.parametrize("head", ["path,text", "Filename,Sentence", "audio,transcript", ""])
def test_a_folder_with_a_table(tmp_path, name, head):
    spelt = texts(20)
    paths = recorded(tmp_path / "in", spelt)
    listed(tmp_path / name, paths, spelt, head)
    for source in (tmp_path, tmp_path / name, str(tmp_path)):
        data = read(source)
        assert said(data) == {f"in/{path.name}": text for path, text in zip(paths, spelt, strict=True)}
        assert lengths(data) == [16, 2, 2]


def test_texts_beside_the_recordings(tmp_path):
    spelt = texts(20)
    for folder in (tmp_path / "a", tmp_path / "b" / "c"):
        for path, text in zip(recorded(folder, spelt), spelt, strict=True):
            path.with_suffix(".txt").write_text(f"  {text.replace(' ', '  ')}\n")
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / ".hidden.wav").write_bytes(b"")
    data = read(tmp_path)
    assert sum(lengths(data)) == 40
    found = said(data)
    assert found["b/c/r003.wav"] == spelt[3]
    assert found["a/r004.wav"] == spelt[4]


def test_the_same_recordings_in_every_form_are_the_same(tmp_path):
    spelt = texts(12)
    paths = recorded(tmp_path, spelt)
    names = [path.name for path in paths]
    table = listed(tmp_path / "all.tsv", paths, spelt)
    frame = pl.DataFrame({"path": names, "text": spelt})
    frame.write_parquet(tmp_path / "all.parquet")
    frame.write_ndjson(tmp_path / "all.ndjson")
    first = read(table)
    for other in (tmp_path / "all.parquet", str(tmp_path / "all.ndjson")):
        assert read(other).sha256 == first.sha256
    absolute = frame.with_columns(path=pl.lit(f"{tmp_path}/") + pl.col("path"))
    for other in (absolute, absolute.to_pandas()):
        found = read(other)
        assert found.train.recordings.texts == first.train.recordings.texts
        np.testing.assert_array_equal(found.train.target.values, first.train.target.values)
        np.testing.assert_array_equal(found.train.recordings.sound, first.train.recordings.sound)


def test_sounds_lie_where_they_are_said_to(tmp_path):
    spelt = texts(20)
    paths = recorded(tmp_path, spelt)
    data = read(listed(tmp_path / "all.csv", paths, spelt))
    for part in (data.train, data.valid, data.test):
        for n, name in enumerate(part.recordings.names):
            expected, _ = soundfile.read(tmp_path / name, dtype="float32")
            np.testing.assert_array_equal(part.recordings.samples(n), expected)
    assert isinstance(data.train.recordings.sound, np.memmap)
    some = data.train.take(np.array([3, 1]))
    assert some.recordings.names == [data.train.recordings.names[n] for n in (3, 1)]
    np.testing.assert_array_equal(some.recordings.samples(1), data.train.recordings.samples(1))
    np.testing.assert_array_equal(some.target[0], data.train.target[3])
    assert some.recordings.sound is data.train.recordings.sound
    total = sum(len(soundfile.read(path)[0]) for path in paths) / 8_000
    assert sum(one.recordings.seconds for one in (data.train, data.valid, data.test)) == pytest.approx(total)


def test_tables_and_folders_by_part(tmp_path):
    for form in ("tables", "folders", "beside", "elsewhere"):
        folder = tmp_path / form
        for part, name, many in (("train", "train", 9), ("valid", "dev", 3), ("test", "test", 4)):
            spelt = texts(many, many)
            inside = folder / ("clips" if form == "tables" else name)
            paths = recorded(inside, spelt, stem=part)
            if form == "tables":
                listed(folder / f"{name}.tsv", paths, spelt)
                (folder / "clip_durations.tsv").write_text("clip\tduration\nx\t1\n")
            elif form == "beside":
                for path, text in zip(paths, spelt, strict=True):
                    path.with_suffix(".txt").write_text(text)
            else:
                listed(inside / "transcripts.csv", paths, spelt)
        assert lengths(read(folder)) == [9, 3, 4]
    assert "not read: clip_durations.tsv" in read(tmp_path / "tables").found
    paths = [tmp_path / "elsewhere" / name for name in ("train", "dev", "test")]
    assert lengths(read(paths)) == [9, 3, 4]
    paths = [tmp_path / "tables" / f"{name}.tsv" for name in ("train", "dev", "test")]
    assert lengths(read(paths)) == [9, 3, 4]
    found = read(paths[0], valid=str(paths[1]), test=str(paths[2].parent.parent / "folders" / "test"))
    assert lengths(found) == [9, 3, 4]
    assert lengths(read(paths[0], test=str(paths[2]))) == [8, 1, 4]
    assert lengths(read(paths[:2], test=0)) == [9, 3, 0]
    with pytest.raises(ConfigError, match=r"expected a valid part by names .* or by the option, got both"):
        read(paths, valid=str(paths[1]))


def test_other_folders_beside_those_of_parts_are_told(tmp_path):
    for name in ("train", "test", "notes"):
        spelt = texts(9)
        listed(tmp_path / name / "all.csv", recorded(tmp_path / name, spelt, stem=name), spelt)
    data = read(tmp_path)
    assert lengths(data) == [8, 1, 9]
    assert "not read: the folder notes" in data.found


def test_a_column_tells_of_parts(tmp_path):
    spelt = texts(12)
    paths = recorded(tmp_path, spelt)
    split = ["train"] * 6 + ["dev"] * 2 + ["Test"] * 4
    frame = pl.DataFrame({"path": [str(path) for path in paths], "text": spelt, "split": split})
    data = read(frame)
    assert lengths(data) == [6, 2, 4]
    assert data.test.recordings.names == [str(path) for path in paths[8:]]
    with pytest.raises(DataError, match=r"frame, row 5, column 'split': expected train, .*, got 'odd'"):
        read(frame.with_columns(split=pl.Series([*split[:5], "odd", *split[6:]])))
    with pytest.raises(DataError, match="expected recordings to learn from, got those of test alone"):
        read(frame[8:])


def test_columns_are_named(tmp_path):
    spelt = texts(20)
    paths = recorded(tmp_path, spelt)
    rows = [
        (path.name, "x", text, f"s{n % 5}") for n, (path, text) in enumerate(zip(paths, spelt, strict=True))
    ]
    table = tmp_path / "all.csv"
    pl.DataFrame(rows, schema=["clip", "text", "words", "who"], orient="row").write_csv(table)
    options = {"path": "clip", "text": "words", "speaker": "who"}
    data = read(table, **options)
    assert said(data)["r007.wav"] == spelt[7]
    assert {*(data.train.recordings.speakers or [])} < {f"s{n}" for n in range(5)}
    later = tmp_path / "later.csv"
    for head in ("clip,words", "path,text"):
        listed(later, paths[:3], spelt[:3], head)
        assert read_later(data.schema, later).test.recordings.texts == spelt[:3]
    with pytest.raises(
        DataError,
        match=r"all\.csv: expected a column of paths of recordings, called path, file, filename or "
        r"file_name, got clip, text, words, who\. Name it with path\.",
    ):
        read(table)
    for option, what in (("text", "what is said"), ("speaker", "who speaks")):
        with pytest.raises(DataError, match=f"a column of {what}, called gone, got clip, .*with {option}"):
            read(table, **options | {option: "gone"})


def test_cells_stand_as_they_are(tmp_path):
    said_there = ["one, two", '"Yes", he said', "1,234", 'a "b" c', "tab|bar"]
    paths = recorded(tmp_path, ["ada"] * 5)
    frame = pl.DataFrame({"path": [path.name for path in paths], "text": said_there})
    frame.write_csv(tmp_path / "comma.csv")
    frame.write_csv(tmp_path / "semicolon.csv", separator=";")
    frame.write_csv(tmp_path / "tab.tsv", separator="\t")
    bare = [f"{path.name}\t{text}\n" for path, text in zip(paths, said_there, strict=True)]
    (tmp_path / "bare.tsv").write_text("".join(bare))
    bars = [f"{path.stem}|{text.replace('|', ' ')}\n" for path, text in zip(paths, said_there, strict=True)]
    (tmp_path / "bars.csv").write_text("".join(bars))
    for name in ("comma.csv", "semicolon.csv", "tab.tsv", "bare.tsv"):
        assert {*said(read(tmp_path / name, valid=0.2, test=0.2)).values()} == {*said_there}
    found = read(tmp_path / "bars.csv", valid=0.2, test=0.2)
    assert {*said(found).values()} == {*said_there[:4], "tab bar"}


def test_files_are_found_without_their_folder_or_ending(tmp_path):
    spelt = texts(12)
    for folder in ("clips", "wavs"):
        paths = recorded(tmp_path / folder / "in", spelt, ending="flac")
        lines = [f"in\\{path.stem},{text}\n" for path, text in zip(paths, spelt, strict=True)]
        (tmp_path / "all.csv").write_text("path,text\n" + "".join(lines))
        assert sum(lengths(read(tmp_path / "all.csv"))) == 12


def test_columns_without_names_are_told(tmp_path):
    spelt = texts(12)
    paths = recorded(tmp_path, spelt)
    lines = [f"{n}\t{path.name}\t{text}\n" for n, (path, text) in enumerate(zip(paths, spelt, strict=True))]
    (tmp_path / "all.tsv").write_text("".join(lines))
    data = read(tmp_path / "all.tsv")
    assert said(data)["r000.wav"] == spelt[0]
    assert "columns: 3 without names, of which column 2 and column 3 are read (all.tsv)" in data.found


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", r"all\.csv: expected recordings, a line each, got an empty file"),
        ("path,text\n", r"all\.csv, line 1: expected rows below the header of 2 columns, got none"),
        (
            "r000.wav\nr001.wav\n",
            r"all\.csv, line 1: expected the path of .* its text, got one column",
        ),
        (
            "path,text\nr000.wav,a\n,b\n",
            r"all\.csv, line 3, column 'path': expected the path of a .*, got an empty",
        ),
        (
            "path,text\nr000.wav,a\nr001.wav,b,c\n",
            r"all\.csv, line 3: expected 2 columns as in .*, got 3",
        ),
        (
            'path,text\nr000.wav,"a\nr001.wav,b\n',
            r"all\.csv, line 2: expected quotes around whole values",
        ),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, table, message):
    recorded(tmp_path, ["ada", "bob"])
    (tmp_path / "all.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "all.csv")


def test_all_recordings_of_a_speaker_are_in_one_part(tmp_path):
    spelt = texts(60)
    paths = recorded(tmp_path, spelt)
    who = [f"s{n}" for n in np.random.default_rng(0).integers(0, 12, 60)]
    frame = pl.DataFrame({"path": [str(path) for path in paths], "text": spelt, "client_id": who})
    seen = set()
    for seed in range(6):
        data = read(frame, seed=seed, valid=0.2, test=0.2)
        parts = [{*(part.recordings.speakers or [])} for part in (data.train, data.valid, data.test)]
        assert all(parts)
        assert not any(a & b for a, b in combinations(parts, 2))
        assert sum(lengths(data)) == 60
        assert all(6 <= many <= 18 for many in lengths(data)[1:])
        seen.add(frozenset(parts[2]))
        again = read(frame, seed=seed, valid=0.2, test=0.2)
        assert again.test.recordings.names == data.test.recordings.names
    assert len(seen) > 1
    assert "speakers: 12" in data.found
    assert any("all recordings of a speaker together" in line for line in data.found)
    few = read(frame.with_columns(client_id=pl.Series(["a"] * 59 + ["b"])))
    assert any("as there are too few speakers" in line for line in few.found)
    assert any("1 of the 1 in the test part is in the training part, too" in line for line in few.found)
    # One who says nearly everything stays where there is something to learn.
    uneven = read(frame.with_columns(client_id=pl.Series(["a"] * 56 + ["b", "c", "d", "d"])))
    assert "a" in (uneven.train.recordings.speakers or [])
    assert all(lengths(uneven))


def test_a_draw_depends_on_its_seed(tmp_path):
    spelt = texts(40)
    table = listed(tmp_path / "all.csv", recorded(tmp_path, spelt), spelt)
    names = [read(table, seed=seed).test.recordings.names for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert lengths(read(table, valid=0.3, test=0)) == [28, 12, 0]


def test_the_rate_is_that_of_most(tmp_path):
    spelt = texts(12)
    paths = [
        *recorded(tmp_path, spelt[:9], rate=11_025),
        *recorded(tmp_path, spelt[9:], rate=8_000, stem="s"),
    ]
    table = listed(tmp_path / "all.csv", paths, spelt)
    data = read(table)
    assert data.schema.rate == data.train.recordings.rate == 11_025
    told = "\n".join(data.found)
    assert "sound: 11,025 Hz, of 12 WAV; resampled: 3 at 8,000 Hz" in told
    assert "rates: 3 recordings below 11,025 Hz, which have no high notes" in told
    whole = said(data)
    for part in (data.train, data.valid, data.test):
        for n, name in enumerate(part.recordings.names):
            seconds = 0.1 * (len(whole[name]) + 1)
            assert part.recordings.lengths[n] == pytest.approx(seconds * 11_025, abs=20)
    assert read(table, rate=8_000).schema.rate == 8_000
    loud = [*recorded(tmp_path / "high", spelt, rate=44_100)]
    assert read(listed(tmp_path / "high.csv", loud, spelt)).schema.rate == 16_000
    low = recorded(tmp_path / "low", spelt, rate=2_000)
    with pytest.raises(DataError, match=r"expected speech at 4,000 samples a .*, got 2,000 in most"):
        read(listed(tmp_path / "low.csv", low, spelt))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_formats_and_channels_are_told(tmp_path, ending):
    spelt = texts(12)
    paths = recorded(tmp_path, spelt, ending=ending)
    both = np.stack([spoken(spelt[0]), np.zeros_like(spoken(spelt[0]))], 1)
    soundfile.write(paths[0], both, 8_000)
    data = read(listed(tmp_path / "all.csv", paths, spelt))
    assert f"sound: 8,000 Hz, of 12 {ending.upper()}; mixed to one channel: 1" in data.found


def test_recordings_that_are_clipped_are_told(tmp_path):
    spelt = texts(12)
    paths = recorded(tmp_path, spelt)
    for path in paths[:2]:
        soundfile.write(path, np.clip(5 * spoken("ada"), -1, 1), 8_000)
    told = [line for line in read(listed(tmp_path / "all.csv", paths, spelt)).found if "clipped" in line]
    assert len(told) == 1
    assert told[0].startswith("clipped: 2 recordings, made too loud; the first is r00")


def test_the_same_recording_in_two_parts_is_told(tmp_path):
    spelt = texts(10)
    paths = recorded(tmp_path, spelt)
    (tmp_path / "copy.wav").write_bytes(paths[2].read_bytes())
    table = listed(tmp_path / "train.csv", paths, spelt)
    test = listed(tmp_path / "test.csv", [tmp_path / "copy.wav"], ["ada"])
    told = "\n".join(read([table, test]).found)
    assert (
        "twice: 1 recording of the test part is in the training part, too; the first is "
        "copy.wav (test.csv, line 2)" in told
    )
    # Those that are drawn keep copies together.
    for n in range(10):
        (tmp_path / f"again{n}.wav").write_bytes(paths[n].read_bytes())
    twice = [*paths, *(tmp_path / f"again{n}.wav" for n in range(10))]
    drawn = read(listed(tmp_path / "all.csv", twice, spelt + spelt), valid=0.3, test=0.3)
    assert not any(line.startswith("twice") for line in drawn.found)


def test_what_is_found_is_told(tmp_path):
    spelt = texts(20)
    told = read(listed(tmp_path / "all.csv", recorded(tmp_path, spelt), spelt)).found
    seconds = sum(0.1 * (len(text) + 1) for text in spelt)
    assert told[0] == f"recordings: 20, {seconds:.1f} seconds"
    assert told[1].startswith("texts: such as “")
    assert told[2] == "sound: 8,000 Hz, of 20 WAV"
    assert told[3] == f"unit: characters, {len({*''.join(spelt)})} (chosen: less than 20 hours of speech)"
    assert told[4] == (
        "split: train 16 recordings, valid 2, test 2 (valid and test drawn, without regard to who speaks)"
    )
    assert len(told) == 5


def test_later_recordings_are_read_the_same_way(tmp_path):
    spelt = texts(20)
    table = listed(tmp_path / "all.csv", recorded(tmp_path, spelt), spelt)
    schema = read(table).schema
    later = ["ada zoo", "bob"]
    paths = recorded(tmp_path / "later", later, rate=16_000, ending="flac")
    data = read_later(schema, listed(tmp_path / "later.csv", paths, later))
    assert data.test.recordings.texts == later
    assert data.test.recordings.rate == 8_000
    assert (len(data.train), len(data.valid)) == (0, 0)
    assert data.found[0] == "recordings: 2, 1.2 seconds"
    assert (
        "unknown: 1 character of the test part that training does not show: z; the first is in "
        "later/r000.flac (later.csv, line 2)"
    ) in data.found
    assert data.schema.tokens.decode(data.test.target[0]) == "ada oo"
    assert read_later(schema, tmp_path / "later.csv").sha256 == data.sha256
    # Where the source tells of a test part, it alone is judged.
    both = [listed(tmp_path / "train.csv", paths, later), listed(tmp_path / "test.csv", paths[:1], later[:1])]
    data = read_later(schema, both)
    assert data.test.recordings.texts == later[:1]
    assert "read: the test part alone" in data.found


def test_later_recordings_need_no_texts(tmp_path):
    spelt = texts(20)
    schema = read(listed(tmp_path / "all.csv", recorded(tmp_path / "in", spelt), spelt)).schema
    folder = tmp_path / "later"
    paths = recorded(folder, ["bob", "ada", "cab"])
    order = [paths[n] for n in (2, 0, 1)]
    (folder / "list.csv").write_text("path\n" + "".join(f"{path.name}\n" for path in order))
    (folder / "plain.txt").write_text("".join(f"{path.name}\n" for path in order))
    frame = pl.DataFrame({"file": [str(path) for path in order]})
    for source, names in (
        (folder, [path.name for path in paths]),
        (folder / "list.csv", [path.name for path in order]),
        (folder / "plain.txt", [path.name for path in order]),
        (frame, [str(path) for path in order]),
        (order, [str(path) for path in order]),
        (str(paths[1]), [str(paths[1])]),
    ):
        found = read_later(schema, source, alone=True).test
        assert found.recordings.names == names
        assert found.recordings.texts is None
        assert len(found.target) == len(names)
        assert len(found.target.values) == 0
    # Silence, and a file without a sample, have an answer, too.
    for name, many in (("still", 8_000), ("none", 0)):
        soundfile.write(folder / f"{name}.wav", np.zeros(many), 8_000)
        assert read_later(schema, folder / f"{name}.wav", alone=True).test.recordings.lengths.tolist() == [
            many
        ]
    (folder / "bad.wav").write_bytes(b"nothing")
    for source in (folder, folder / "bad.wav", folder / "gone.wav"):
        with pytest.raises(DataError, match=r"(bad|gone)\.wav.*Correct them, or take them out\."):
            read_later(schema, source, alone=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected recordings \(WAV, FLAC, .*\) in '.*empty', got none"):
        read_later(schema, tmp_path / "empty", alone=True)
    with pytest.raises(DataError, match="expected recordings, got none"):
        read_later(schema, [], alone=True)


def test_recordings_are_named_with_texts_beside_them(tmp_path):
    spelt = texts(12)
    paths = recorded(tmp_path, spelt, stem="test_")
    for path, text in zip(paths, spelt, strict=True):
        path.with_suffix(".txt").write_text(text)
    data = read(paths)
    assert lengths(data) == [10, 1, 1]
    assert said(data)[str(paths[3])] == spelt[3]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "expected a folder or a table of recordings, got no path"),
        ("gone", "expected a file or a folder, got nothing at 'gone'"),
        ([Path("gone"), Path("also")], "expected a file or a folder, got nothing at 'gone'"),
    ],
)
def test_sources_that_are_not_there(source, message):
    with pytest.raises(DataError, match=message):
        read(source)


def test_folders_that_do_not_say_what_is_said(tmp_path):
    for n in range(3):
        soundfile.write(tmp_path / f"{n}_jackson_0.wav", spoken("ada"), 8_000)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == (
        f"expected texts beside the recordings, got 3 recordings in {str(tmp_path)!r} and no text. Write a "
        "table transcripts.csv in the folder, with the columns path and text, or a file of the same name "
        "that ends in .txt beside each recording."
    )
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("path,text\n")
    with pytest.raises(DataError, match=r"expected one table of texts, or .* got a\.csv, b\.csv"):
        read(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DataError, match=r"expected recordings \(WAV, FLAC, OGG or MP3\) in .*, got none"):
        read(other)
    (other / "a.m4a").write_bytes(b"x")
    with pytest.raises(DataError, match=r"expected recordings as WAV, .*, got 1 as \.m4a"):
        read(other)


def test_there_must_be_room_for_the_sound(tmp_path, monkeypatch):
    spelt = texts(12)
    table = listed(tmp_path / "all.csv", recorded(tmp_path, spelt), spelt)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"expected room for the sound of .*none, got .*Set TMPDIR"):
        read(table)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"valid": 0}, "expected recordings for validation, which say when to stop, got a share of 0"),
        ({"valid": 0.5, "test": 0.5}, "expected shares that leave recordings to learn from, got 0.5 for"),
        (
            {"phones": "a.dic", "unit": "words"},
            "expected texts to be spelt in one way, got phones and the unit",
        ),
        (
            {"lm": "none", "extra": "a.txt"},
            "expected a language model that learns from the extra",
        ),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(ConfigError, match=message):
        configure(TranscribeConfig, options)


def test_too_few_recordings_are_refused(tmp_path):
    table = listed(tmp_path / "all.csv", recorded(tmp_path, ["ada", "bob"]), ["ada", "bob"])
    with pytest.raises(
        DataError, match=r"expected recordings to train, validate and test on, got too few: .* to test"
    ):
        read(table)
