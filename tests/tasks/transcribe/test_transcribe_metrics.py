"""What errors are: jiwer's numbers, intervals over recordings or speakers, confusions, and the baselines."""

from __future__ import annotations

import builtins
from importlib.metadata import version

import jiwer
import numpy as np
import pytest
from spoken import PHONES, RATE, WORDS, data, recordings, sound, texts, transcript

from recurra.decode.wordtimes import Word
from recurra.errors import ConfigError
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe import confusions, metrics
from recurra.tasks.transcribe.baselines import PARTS, Nearest, describe, most_frequent
from recurra.tasks.transcribe.features import LogMel
from recurra.tasks.transcribe.fusing import Language
from recurra.tasks.transcribe.metrics import LEFT_OUT, PUT_IN, RIGHT, SUBSTITUTED, align, rate
from recurra.tasks.transcribe.resampling import RESAMPLES, Resampling
from recurra.tasks.transcribe.units import Cutter, leading

SAID = ["go left", "stop", "one two one", "right", "go"]
HEARD = ["go right", "", "one one two", "right", "go go stop"]


def garbled(said: list[str], seed: int = 0) -> list[str]:
    """Texts with some words changed, left out and put in."""
    dice = np.random.default_rng(seed)
    found = []
    for text in said:
        words = []
        for word in text.split():
            one = dice.random()
            words += [] if one < 0.2 else [str(dice.choice(WORDS))] if one < 0.4 else [word]
            words += [word] if one > 0.9 else []
        found.append(" ".join(words))
    return found


def test_errors_are_those_of_jiwer() -> None:
    said = texts(200)
    heard = garbled(said)
    words = align([text.split() for text in said], [text.split() for text in heard])
    letters = align([list(text) for text in said], [list(text) for text in heard])
    theirs = jiwer.process_words(said, heard)
    assert float(rate(words.counts.sum(0))) == theirs.wer == jiwer.wer(said, heard)
    assert float(rate(letters.counts.sum(0))) == jiwer.cer(said, heard)
    assert words.counts.sum(0).tolist() == [
        theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions,
    ]  # fmt: skip
    each = [jiwer.wer(a, b) for a, b in zip(said, heard, strict=True)]
    assert rate(words.counts).tolist() == each
    assert (words.wrong / words.said).tolist() == each


def test_edits_tell_what_became_of_each_word() -> None:
    found = align([text.split() for text in SAID], [text.split() for text in HEARD])
    assert [[edit.kind for edit in edits] for edits in found.edits] == [
        [RIGHT, SUBSTITUTED],
        [LEFT_OUT],
        [RIGHT, PUT_IN, RIGHT, LEFT_OUT],
        [RIGHT],
        [RIGHT, PUT_IN],
    ]
    assert found.counts.tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [2, 0, 1, 1], [1, 0, 0, 0], [1, 0, 0, 2]]
    assert [(edit.said, edit.heard) for edit in found.edits[0]] == [
        (("go",), ("go",)),
        (("left",), ("right",)),
    ]


def test_nothing_said_and_nothing_at_all_have_rates() -> None:
    found = align([[], []], [["go", "go"], []])
    assert rate(found.counts).tolist() == [2.0, 0.0] == [jiwer.wer("", "go go"), jiwer.wer("", "")]
    assert align([], []).counts.shape == (0, 4)


def test_without_jiwer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "jiwer":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"expected the package jiwer, .* Install recurra\[audio\]"):
        align([["go"]], [["go"]])


def test_the_signature_names_the_package_and_what_was_done() -> None:
    told = f"jiwer|unit:phone|case:kept|punctuation:kept|space:one|version:{version('jiwer')}"
    assert metrics.signature_of("phone") == told


def test_sums_of_draws_are_those_of_the_recordings_drawn() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (40, 3))
    draws = Resampling(40, None, 5).sums(counts)
    drawn = np.random.default_rng(5).multinomial(40, np.full(40, 1 / 40), RESAMPLES)
    assert draws.tolist() == (drawn @ counts).tolist()
    assert abs(draws.mean(0) - counts.sum(0)).max() < 0.03 * counts.sum(0).max()


def test_recordings_of_a_speaker_are_drawn_together() -> None:
    speakers = [f"speaker {n % 5}" for n in range(50)]
    # Each speaker is always right or always wrong, so that recordings by themselves seem surer than they are.
    right = np.array([[int(n % 5 < 3)] for n in range(50)])
    together, alone = Resampling(50, speakers, 0), Resampling(50, None, 0)
    assert (together.by_speaker, alone.by_speaker) == (True, False)
    assert (together.groups, alone.groups) == (5, 50)
    assert set((together.sums(right) % 10).ravel().tolist()) == {0.0}
    assert together.sums(right).std() > 2 * alone.sums(right).std()
    assert not Resampling(50, ["one"] * 25 + ["two"] * 25, 0).by_speaker


def test_intervals_hold_where_nothing_is_wrong_and_where_there_is_too_little() -> None:
    many, few = Resampling(100, None, 0), Resampling(9, None, 0)
    none = many.interval(np.zeros(RESAMPLES), lower=True)
    assert (none.low, round(none.high, 3)) == (0.0, 0.037)  # Wilson's, of none in a hundred
    every = many.interval(np.ones(RESAMPLES), lower=False)
    assert (round(every.low, 3), every.high) == (0.963, 1.0)
    assert np.isnan(many.interval(np.full(RESAMPLES, 0.5), lower=True).low)
    spread = many.interval(np.linspace(0, 1, RESAMPLES), lower=True)
    assert (spread.low, spread.high) == pytest.approx((0.025, 0.975))
    assert np.isnan(few.interval(np.linspace(0, 1, RESAMPLES), lower=True).low)
    gap = few.difference(0.2, 0.5, np.zeros(RESAMPLES), lower=True)
    assert gap.estimate == pytest.approx(0.3)
    assert not gap.certain


def test_gains_are_above_zero_where_the_model_is_better() -> None:
    sampled = Resampling(100, None, 0)
    draws = np.linspace(-0.4, -0.2, RESAMPLES)  # errors of the model less those of the other
    fewer = sampled.difference(0.2, 0.5, draws, lower=True)
    assert fewer.certain
    assert 0.2 < fewer.low < fewer.estimate < fewer.high < 0.4
    right = sampled.difference(0.2, 0.5, draws, lower=False)
    assert right.high < 0


def test_words_taken_for_others_come_with_how_often() -> None:
    said, heard = [*SAID, "left", "left"], [*HEARD, "right", "go"]
    found = align([text.split() for text in said], [text.split() for text in heard])
    pairs = [(one.said, one.heard, one.times, one.of) for one in confusions.confused(found)]
    assert pairs == [("left", "right", 2, 3), ("left", "go", 1, 3)]
    lost = {one.token: (one.left_out, one.put_in, one.of) for one in confusions.lost(found)}
    assert lost["stop"] == (1, 1, 1)
    assert (lost["one"], lost["go"][2]) == ((1, 1, 2), 2)
    assert sum(one.left_out for one in confusions.lost(found)) == int(found.counts[:, LEFT_OUT].sum())
    assert sum(one.put_in for one in confusions.lost(found)) == int(found.counts[:, PUT_IN].sum())


def test_a_table_of_all_pairs_is_for_few_single_words() -> None:
    said = ["go", "stop", "go", "go", "left"]
    kinds = confusions.single(said)
    assert kinds == ["go", "left", "stop"]
    table = confusions.matrix(said, ["go", "go", "", "go now", "left"], kinds)
    assert table.tolist() == [[1, 0, 0, 1, 1], [0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
    assert confusions.single(["go left", "go"]) is None
    assert confusions.single([f"word{n}" for n in range(31)]) is None
    assert confusions.single(["go", "go"]) is None
    assert confusions.single(["", "go"]) is None


def test_errors_are_told_by_length_and_speaker() -> None:
    said = ["go"] * 60
    heard = ["go"] * 30 + ["stop"] * 30
    found = align([[text] for text in said], [[text] for text in heard])
    seconds = np.linspace(1, 9, 60)
    groups = confusions.by_length(found, seconds)
    assert [one.recordings for one in groups] == [12] * 5
    assert [one.rate for one in groups] == [0, 0, 0.5, 1, 1]
    assert groups[0].name == "1.0–2.5"
    assert confusions.by_length(found, seconds / 10)[0].name == "0.10–0.25"
    assert [one.recordings for one in confusions.by_length(found, np.ones(60))] == [60]
    worst = confusions.by_speaker(found, ["anna", "", "carl"] * 20)
    assert sorted(one.name for one in worst) == ["anna", "carl", "not told"]
    assert worst[0].rate == max(one.rate for one in worst)
    assert sum(one.tokens for one in worst) == 60


def test_the_most_frequent_transcript_is_the_first_of_several() -> None:
    assert most_frequent(["stop", "go  now", "go now", "stop", "left"]) == "go now"


def test_the_nearest_recording_knows_tones_and_lengths() -> None:
    every = [*WORDS, *(f"{a} {b}" for a in WORDS for b in WORDS)]
    known, other = recordings(every * 2, seed=1000), recordings(every[::-1], seed=5000)
    assert Nearest.fit(known).transcribe(other) == other.texts
    assert Nearest.fit(known.take([3])).transcribe(other.take([0, 1])) == [every[3]] * 2


def test_recordings_of_any_length_have_as_many_numbers() -> None:
    size = 2 * PARTS * LogMel(RATE).bands + 1
    for many in (0, 1, 150, 200, 350, 8000, 100_000):
        found = describe(np.full(many, 0.1, dtype=np.float32), RATE)
        assert found.shape == (size,)
        assert np.isfinite(found).all()
    loud = sound("go stop")
    assert np.allclose(describe(loud, RATE), describe(loud * 2, RATE), atol=0.3)


def test_texts_are_cut_into_words_and_characters() -> None:
    cutter = Cutter(data(recordings(["go left"])).schema)
    found = cutter.said(["  go \t left\n", ""])
    assert found.texts == ["go left", ""]
    assert found.words == [["go", "left"], []]
    assert found.pieces == [list("go left"), []]
    assert cutter.piece == "character"
    assert cutter.heard([transcript("go  left")]).words == [["go", "left"]]


def test_phones_become_words_that_sound_so() -> None:
    schema = data(recordings(["go left"]), phones=True).schema
    cutter = Cutter(schema)
    assert cutter.piece == "phone"
    assert cutter.writes_phones
    said = cutter.said(["go write unknown"])
    assert said.words == [["go", "write", "unknown"]]
    assert said.pieces == [["G", "OW", "R", "AY", "T"]]
    ways = ("G OW", "R AY T", "T OW")
    words = tuple(Word(way, 0.1 * n, 0.1 * n + 0.1, 0.9) for n, way in enumerate(ways))
    heard = cutter.heard([Transcript(" ".join(ways), words, -1.0)])
    assert heard.words == [["go", "right", "/T OW/"]]
    assert heard.pieces == [["G", "OW", "R", "AY", "T", "T", "OW"]]
    assert heard.texts == ["go right /T OW/"]
    # A search with a dictionary writes words itself.
    known = schema.model_copy(update={"language": Language(kind="words", arrays={}, about="n-grams")})
    written = Cutter(known).heard([transcript("go write")])
    assert written.words == [["go", "write"]]
    assert written.pieces == [" ".join(PHONES[word][0] for word in ("go", "write")).split()]


def test_what_leads_depends_on_the_texts() -> None:
    letters, phones = (Cutter(data(recordings(["go"]), phones=phones).schema) for phones in (False, True))
    assert leading(["go left", "stop"], letters) == "wer"
    assert leading(["go", "stop"], letters) == "words"
    assert leading(["東京に行く", "猫"], letters) == "cer"
    assert leading(["go left"], phones) == "per"
