"""The report of a recogniser: its sections, what its pictures and marks tell, and that it stays small."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from spoken import RATE, WORDS, data, recordings, sound, texts, transcript

from recurra.decode.wordtimes import Word
from recurra.report import figures
from recurra.report.page import Page
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe import examples, pictures, report
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.evaluate import evaluate
from recurra.tasks.transcribe.metrics import align

pytest.importorskip("matplotlib", reason="needs the extra [audio]")

CONFIG = TranscribeConfig()
SPEAKERS = [f"speaker {n % 7}" for n in range(70)]
SECTIONS = (
    "The verdict", "Which words it gets wrong", "By speaker and length", "Some recordings",
    "How one transcript grew", "What was found in the data", "How to use it",
)  # fmt: skip
LOG = [{"step": 10 * n, "valid": 4 / n, "sample": "go " * n} for n in range(1, 30)]


def written(transcripts, of, records=()):
    page = Page("A recogniser", bundle="runs/it")
    found = evaluate(transcripts, CONFIG, of)
    report.write(page, CONFIG, of, found, records)
    return page.html()


@pytest.fixture(name="sentences", scope="module")
def _sentences():
    said = texts(70, 1, 6)
    return data(
        recordings(said, SPEAKERS, seed=500), recordings(texts(60, 2, 6)), recordings(["go <b>", "stop"][1:])
    )


@pytest.fixture(name="html", scope="module")
def _html(sentences):
    said = sentences.test.recordings.texts
    heard = [
        transcript(text if n % 3 else " ".join(["stop", *text.split()[1:]])) for n, text in enumerate(said)
    ]
    return written(heard, sentences, LOG)


def test_a_report_has_every_section_and_stays_small(html):
    assert tuple(re.findall(r"<h2[^>]*>([^<]*)</h2>", html)) == SECTIONS
    assert len(html) < 600_000
    assert "The model is better than every baseline here: WER" in html
    assert "95 % interval, by a bootstrap over the speakers." in html
    assert "Gain in WER, points" in html
    assert '<tr><th scope="row">go → stop</th>' in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', html)) <= set(ids)
    assert set(re.findall(r'(?:src|href)="([^#][^"]{0,20})', html)) == {"data:image/png;base64"}
    assert "jiwer|unit:character" in html
    assert "nan" not in re.sub(r"base64,[^\"]*", "", html)


def test_its_commands_name_the_bundle(html):
    for command in (
        "recurra predict runs/it recordings/ --out transcripts.csv",
        "recurra listen runs/it talk.wav",
        f"arecord -q -t raw -f S16_LE -c 1 -r {RATE} | recurra listen runs/it -",
        "recurra stream runs/it &lt; pieces.ndjson",
        "recurra serve runs/it",
        "recurra evaluate runs/it later/",
        "recurra.load(&quot;runs/it&quot;)",
    ):
        assert command in html
    page = Page("A recogniser")
    report._use(page, data(recordings(["go"])), TranscribeConfig(live=False))
    assert "listen" not in page.html()
    assert "recurra predict" in page.html()


def test_transcripts_that_grew_are_those_of_the_log(html):
    grown = html.split("How one transcript grew</h2>")[1].split("<h2")[0]
    steps = re.findall(r'<th scope="row">([\d,]+)</th>', grown)
    assert steps[0] == "10"
    assert steps[-1] == "290"
    assert "Of clips/0.wav, in which is said “stop”:" in grown


def test_recordings_of_single_words_have_a_table_of_all_pairs():
    every = [*WORDS] * 5
    heard = [transcript(text if n % 7 else "") for n, text in enumerate(every)]
    html = written(heard, data(recordings(every), recordings(every, seed=90)))
    assert "Recordings by what was said (a row) and what was heard (a column)." in html
    assert 'class="for4">5</td>' in html or 'class="for4">4</td>' in html
    assert ">nothing</th>" in html
    assert ">other</th>" not in html
    assert "“go” was said, nothing heard" in html
    assert "“stop” was said, “stop” heard, 90.0 % sure." in html
    assert "Words right is what is left" in html


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        (["go left"], [""], "(nothing)"),
        ([""], ["go"], "Put in"),
        (["go"], ["go"], "None: every word is right."),
        (["東京", "大阪へ"] * 8, ["東京", "大へ"] * 8, "Which characters it gets wrong"),
    ],
)
def test_odd_sets_are_written_too(monkeypatch, said, heard, expected):
    plain = [text if set(text.split()) <= set(WORDS) else "go" for text in said]
    of = data(recordings(plain))
    of.test.recordings.texts[:] = said
    found = [transcript(text) for text in heard]
    assert expected in written(found, of)
    monkeypatch.setattr(figures, "missing", lambda: "No figures here.")
    html = written(found, of)
    assert "No figures here." in html
    assert "<svg" not in html


def test_a_report_of_nothing_says_so():
    assert "Nothing could be evaluated" in written([], data(recordings([])))


def test_what_was_missed_and_what_was_wrong_are_marked():
    found = align([["go", "left", "one"]], [["go", "right", "one", "two"]]).edits[0]
    pieces, hints = examples.marked(found, " ")
    assert "".join(piece for piece, _ in pieces) == "Said: go left one\nHeard: go right one two"
    assert [(piece, strength) for piece, strength in pieces if strength] == [
        ("left", examples.MISSED), ("right", examples.WRONG), ("two", examples.WRONG),
    ]  # fmt: skip
    assert [hint for hint in hints if hint] == ["heard: right", "said: left", "put in"]
    assert len(pieces) == len(hints)
    gone = align([["go"]], [[]]).edits[0]
    assert "".join(piece for piece, _ in examples.marked(gone, " ")[0]) == "Said: go\nHeard: (nothing)"
    letters = align([list("go left")], [list("go lft")]).edits[0]
    pieces, hints = examples.marked(letters, "")
    assert "".join(piece for piece, _ in pieces) == "Said: go left\nHeard: go lft"
    assert "left out" in hints


def test_the_best_the_worst_and_others_are_shown_once(sentences):
    said = sentences.test.recordings.texts
    heard = [transcript("" if n == 7 else "stop" if n in (8, 9) else text) for n, text in enumerate(said)]
    detail = evaluate(heard, CONFIG, sentences).detail
    groups = dict(examples.chosen(detail, 0))
    assert groups["The worst"][0] in (7, 8, 9)
    assert set(groups["The worst"]) <= {7, 8, 9}
    shown = [n for rows in groups.values() for n in rows]
    assert len(shown) == len(set(shown)) == examples.BEST + 3 + examples.DRAWN
    assert groups == dict(examples.chosen(detail, 0))
    assert all(not detail.aligned.wrong[n] for n in groups["The best"])


def test_a_picture_has_its_words_where_they_were_heard():
    words = [Word("go", 0.0, 0.2, 0.9), Word("left", 0.25, 0.5, 0.8), Word("late", 40.0, 41.0, 0.9)]
    found = pictures.spectrogram(sound("go left"), RATE, words, [False, True, False], "Told.", wide=True)
    assert found.svg.count("<image") == 1
    assert ">go</text>" in found.svg
    assert ">left ✗</text>" in found.svg
    assert ">late" not in found.svg
    assert "go at 0.00 s, left at 0.25 s" in found.alt
    assert found.caption == "Told."
    assert len(found.svg) < 60_000
    empty = pictures.spectrogram(np.zeros(0, dtype=np.float32), RATE, [], [], wide=False)
    assert "heard: no word" in empty.alt


def test_words_of_any_script_are_drawn_as_they_are():
    words = [
        Word(text, 0.1 * n, 0.1 * n + 0.1, 0.9) for n, text in enumerate(["東京", "$a_b$", "<b>", "x^2"])
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pictures.spectrogram(sound("go left"), RATE, words, [False] * 4, wide=True)
    for text in ("東京", "$a_b$", "&lt;b&gt;", "x^2"):
        assert f">{text}</text>" in found.svg


def test_a_long_recording_is_drawn_up_to_a_limit():
    noise = np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
    words = [Word(f"word{n}", 0.3 * n, 0.3 * n + 0.2, 0.9) for n in range(200)]
    found = pictures.spectrogram(noise, RATE, words, [False] * 200, wide=True)
    assert f"{pictures.DRAWN:.1f} s of sound" in found.alt
    assert "word49 at" in found.alt
    assert "word50 at" not in found.alt
    assert len(found.svg) < 150_000


def test_words_that_would_hide_each_other_stand_in_rows():
    assert pictures.placed([0, 1, 2], [2, 2, 2], 3.0, 9.2) == [0, 0, 0]
    assert pictures.placed([0, 0.01, 0.02, 1.5], [9, 9, 9, 9], 3.0, 9.2) == [0, 1, 2, 0]
    crowded = pictures.placed([0.001 * n for n in range(9)], [9] * 9, 3.0, 9.2)
    assert set(crowded) == set(range(pictures.ROWS))


def test_frequencies_lie_where_their_bands_do():
    from recurra.tasks.transcribe.augment import log_mel  # noqa: PLC0415

    for hertz in (500, 1000, 2000, 3500):
        tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
        loudest = int(log_mel(RATE)(tone).mean(0).argmax())
        assert abs(loudest + 0.5 - pictures.place(hertz, RATE, 40)) <= 1


def test_times_that_do_not_fit_the_words_mark_none(sentences):
    said = sentences.test.recordings.texts
    heard = [Transcript(text, (Word(text, 0.0, 0.5, 0.9),), -1.0) for text in said]
    assert pictures.WRONG + "</text>" not in written(heard, sentences)


def test_of_long_paths_the_end_is_shown():
    of = data(recordings(["go", "stop left"]))
    of.test.recordings.names[:] = ["/a/very/long/path/to/the/recordings/of/anna/7.wav", "clips/7.wav"]
    html = written([transcript("go"), transcript("stop")], of)
    assert ">…/anna/7.wav, " in html
    assert ">clips/7.wav, " in html


def test_phones_are_shown_with_the_words_said():
    ways = ["G OW", "R AY T"]
    words = tuple(Word(way, 0.25 * n, 0.25 * n + 0.2, 0.9) for n, way in enumerate(ways))
    html = written([Transcript(" ".join(ways), words, -1.0)], data(recordings(["go left"]), phones=True))
    assert "Which phones it gets wrong" in html
    assert "The model writes phones; for words, the first of the dictionary that is said so." in html
    assert "In words: go left" in html
    assert ">right ✗</text>" in html
    assert re.search(r"Heard: G OW <mark", html)
