"""The model beside its baselines, and what the verdict says of them."""

from __future__ import annotations

import jiwer
import numpy as np
import pytest
from spoken import WORDS, data, recordings, texts, transcript

from recurra.decode.wordtimes import Word
from recurra.tasks.base import Transcript
from recurra.tasks.transcribe import verdict
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.evaluate import FREQUENT, NEAREST, evaluate, judged

CONFIG = TranscribeConfig()


def heard(said, every=4):
    """What was said, with the first word of each so-manieth text left out."""
    return [transcript(text if n % every else " ".join(text.split()[1:])) for n, text in enumerate(said)]


@pytest.fixture(name="long", scope="module")
def _long():
    """Long texts, of which none is said in training, too."""
    said = texts(60, 1, 6)
    return data(recordings(said, seed=500), recordings(texts(80, 2, 6)), recordings(texts(4, 3)))


def test_the_model_stands_first_beside_both_baselines(long):
    found = evaluate(heard(long.test.recordings.texts), CONFIG, long)
    assert [score.method for score in found.scores] == ["Recurra", FREQUENT, NEAREST]
    said = long.test.recordings.texts
    assert found.scores[0].metrics == pytest.approx(
        {
            "wer": jiwer.wer(said, [one.text for one in heard(said)]),
            "cer": jiwer.cer(said, [one.text for one in heard(said)]),
            "right": 0.75,
            "substituted": 0.0,
            "left_out": jiwer.wer(said, [one.text for one in heard(said)]),
            "put_in": 0.0,
        }
    )
    assert found.words[0].startswith("The model is better than every baseline here: WER ")
    assert found.words[0].endswith(").")
    many = sum(len(text.split()) for text in said)
    assert found.words[1] == (
        f"Of {many} words that were said, {many - 15} are right, 0 taken for others and 15 left out; 0 more "
        "were put in."
    )
    assert "Errors are counted by jiwer|unit:character|" in found.words[-1]
    assert found.signature.startswith(
        "transcribe|unit:characters|recordings:60|live:True|beam:16|lm:none|data:"
    )
    for method in found.detail.methods:
        for metric, ends in method.intervals.items():
            if np.isfinite(ends.low):
                assert ends.low <= method.metrics[metric] <= ends.high
    gap = found.detail.methods[1].differences["wer"]
    assert gap.estimate == pytest.approx(found.scores[1].metrics["wer"] - found.scores[0].metrics["wer"])
    assert gap.certain


def test_the_same_recordings_have_the_same_scores(long):
    one, two = (evaluate(heard(long.test.recordings.texts), CONFIG, long) for _ in range(2))
    assert one.scores == two.scores
    assert repr(one.detail.methods) == repr(two.detail.methods)


def test_a_baseline_that_wins_is_told_first():
    every = [*WORDS] * 4
    found = evaluate(
        [transcript("go")] * 24, CONFIG, data(recordings(every, seed=100), recordings(every * 2))
    )
    assert found.scores[0].metrics["words"] == pytest.approx(1 / 6)
    assert "wer" not in found.scores[0].metrics
    assert found.words[0].startswith(
        f"{NEAREST} is better than the model here: words right 100.0 % against 16.7 %"
    )
    assert "(83.3 points more, 95 % interval " in found.words[0]
    low, high = (float(one) for one in found.words[0].split("interval ")[1].removesuffix(").").split(" to "))
    assert 0 < low < 83.3 < high <= 100
    assert found.words[1] == f"The model and {FREQUENT} are equally good here: words right 16.7 %."


def test_a_gap_that_may_be_chance_is_called_so():
    every = [*WORDS] * 4
    said = data(recordings(every, seed=100), recordings(every))
    found = evaluate([transcript(text if n else "go stop") for n, text in enumerate(every)], CONFIG, said)
    assert found.words[0].startswith(
        f"{NEAREST} is ahead of the model here, but the difference may be chance: words right 100.0 %"
    )


def test_errors_of_few_recordings_have_no_interval():
    found = evaluate([transcript("go")], CONFIG, data(recordings(["go left"]), recordings(["go", "stop"])))
    assert (
        found.words[0].startswith("The model is ahead of every baseline here, but")
        or "equally" in found.words[0]
    )
    assert "nan" not in " ".join(found.words)
    assert all(np.isnan(ends.low) for ends in found.detail.methods[0].intervals.values())
    assert found.scores[0].metrics["wer"] == 0.5
    alone = evaluate([transcript("go")], CONFIG, data(recordings(["go left"])))
    assert alone.words[0] == "The model's result here: WER 50.0 %."


def test_later_recordings_have_no_baselines(long):
    later = data(long.test.recordings)
    found = evaluate(heard(later.test.recordings.texts), CONFIG, later)
    assert [score.method for score in found.scores] == ["Recurra"]
    assert found.words[0].startswith("The model's result here: WER ")
    assert "95 % interval" in found.words[0]
    assert verdict.NOT_FITTED in found.words


def test_without_a_test_part_the_validation_part_is_judged(long):
    part, encoded = judged(data(recordings([]), long.train.recordings, long.test.recordings))
    assert (part, len(encoded)) == ("valid", 60)
    valid = data(recordings([]), long.train.recordings, long.test.recordings)
    found = evaluate(heard(long.test.recordings.texts), CONFIG, valid)
    assert verdict.NOT_TESTED in found.words
    assert "|part:validation|" in found.signature
    assert found.detail.part == "valid"


def test_nothing_to_judge_is_told():
    found = evaluate([], CONFIG, data(recordings([])))
    assert (found.scores, found.words, found.detail) == ((), (verdict.NOTHING,), None)


def test_a_model_that_writes_nothing_is_told_of(long):
    silent = [Transcript("", (), -1.0)] * 60
    found = evaluate(silent, CONFIG, long)
    assert found.scores[0].metrics["wer"] == 1.0
    assert found.scores[0].metrics["left_out"] == 1.0
    assert "The model wrote nothing at all for 60 recordings of 60." in found.words


def test_recordings_without_a_word_are_judged(long):
    quiet = data(recordings(["", "go left", ""] * 5), long.train.recordings)
    found = evaluate([transcript(text) for text in ["", "go left", "stop"] * 5], CONFIG, quiet)
    assert found.scores[0].metrics["wer"] == 0.5
    assert found.scores[0].metrics["right"] == pytest.approx(2 / 3)
    assert not any("nothing at all" in line for line in found.words)


def test_intervals_are_over_speakers_where_they_are_told(long):
    said = long.test.recordings.texts
    speakers = [f"speaker {n % 6}" for n in range(60)]
    # All errors are of one speaker.
    wrong = [transcript("go" if n % 6 == 0 else text) for n, text in enumerate(said)]
    alone = evaluate(wrong, CONFIG, data(recordings(said), long.train.recordings))
    together = evaluate(wrong, CONFIG, data(recordings(said, speakers), long.train.recordings))
    assert (alone.detail.by_speaker, together.detail.by_speaker) == (False, True)
    wide, narrow = (one.detail.methods[0].intervals["wer"] for one in (together, alone))
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    assert alone.scores == together.scores


def test_phones_are_judged_by_their_errors():
    said = ["go left", "stop", "write"] * 5
    ways = [("G OW", "R AY T"), ("S T AA P",), ("R AY T",)] * 5
    transcripts = [
        Transcript(
            " ".join(of), tuple(Word(way, 0.2 * n, 0.2 * n + 0.1, 0.9) for n, way in enumerate(of)), -1.0
        )
        for of in ways
    ]
    found = evaluate(transcripts, CONFIG, data(recordings(said), recordings(["go"] * 3), phones=True))
    assert found.detail.metric == "per"
    assert found.detail.token == "phone"
    # Of 2 + 4 + 4 + 3 phones: L EH F T beside R AY T are four errors less what is alike.
    assert found.scores[0].metrics["per"] == pytest.approx(jiwer.wer("L EH F T", "R AY T") * 4 / 13)
    assert found.scores[0].metrics["wer"] == pytest.approx(2 / 4)  # “right” sounds like “write”
    assert "cer" not in found.scores[0].metrics
    assert "|unit:phones|" in found.signature
    assert "phones that were said" in found.words[1]
    assert found.words[0].startswith("The model is better than every baseline here: PER")
