"""From a folder of recordings to what is said in others, and the same while it is said."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra.bundle import Bundle
from recurra.decode.ctc import Beam
from recurra.errors import ConfigError, DataError
from recurra.stream import StreamPool
from recurra.tasks.transcribe.streaming import PAUSE, TranscribeSteps
from recurra.tasks.transcribe.transcribing import BONUSES, WEIGHTS, listened, transcribed
from tones import RATE, fit_tones, pcm, say, texts, write_tones
from untrained import untrained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones") / "tones", many=80)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A recogniser that has learnt its words."""
    return fit_tones(tmp_path_factory.mktemp("listener") / "bundle", many=80)


@pytest.fixture(scope="module", params=["characters", "words", "phones", "none"])
def fresh(request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """One that has learnt nothing, with weights so large that everything matters."""
    options: dict[str, Any] = {"hidden": 12, "beam": 6}
    if request.param == "phones":
        dictionary = tmp_path_factory.mktemp("phones") / "words.dict"
        dictionary.write_text("lo  L OW\nmi  M IY\nsu  S UW\nsu(2)  S U\n")
        options["phones"] = str(dictionary)
    else:
        options["lm"] = request.param
    where = tmp_path_factory.mktemp("fresh") / "bundle"
    return untrained("transcribe", folder, where, spread=0.6, finish=False, **options)


def spoken(texts: list[str], pause: float = 0.0) -> np.ndarray:
    """Texts one after the other, with a pause after each."""
    parts = [[say(text, number), np.zeros(round(pause * RATE))] for number, text in enumerate(texts)]
    rng = np.random.default_rng(0)
    whole = np.concatenate([one for pair in parts for one in pair])
    found: np.ndarray = (whole + rng.normal(0, 0.002, len(whole))).astype(np.float32)
    return found


def heard(bundle: Bundle, sound: np.ndarray, cuts: Any) -> list[dict[str, Any]]:
    """All that a stream says of a sound in pieces, and of its end."""
    stream = bundle.stream()
    found = [stream.step(piece) for piece in np.split(sound, cuts) if len(piece)]
    return [*found, stream.step("")]


def test_a_folder_becomes_a_recogniser(bundle: Bundle) -> None:
    scores = {score["method"]: score["metrics"] for score in bundle.record["scores"]}
    assert scores["Recurra"]["wer"] < 0.1 < scores["Most frequent transcript"]["wer"]
    weight, bonus = bundle.model.fused.tolist()  # type: ignore[operator,union-attr]
    assert weight in WEIGHTS
    assert bonus in BONUSES
    for seed, text in enumerate(texts(5, seed=9), 500):
        (found,) = bundle.transcribe([say(text, seed)])  # type: ignore[attr-defined]
        assert found.text == text
        assert [word.text for word in found.words] == text.split()
        ends = [place for word in found.words for place in (word.begin, word.end)]
        assert ends == sorted(ends)
        assert all(0 < word.confidence <= 1 for word in found.words)


def test_predict_tells_the_times(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    frame = bundle.predict([folder / "003.wav", folder / "001.wav"])
    assert frame.columns == ["path", "text", "confidence", "times"]
    said = (folder / "transcripts.csv").read_text().splitlines()
    assert frame["text"].to_list() == [said[1 + n].split(",")[1] for n in (3, 1)]
    for text, times in zip(frame["text"], frame["times"], strict=True):
        assert len(times.split()) == len(text.split())


def test_an_utterance_is_final_after_a_pause(bundle: Bundle) -> None:
    sound = spoken(["lo mi", "su su lo"], pause=2 * PAUSE)
    answers = heard(bundle, sound, range(400, len(sound), 400))
    finals = [one["text"] for answer in answers for one in answer["final"]]
    assert finals == ["lo mi", "su su lo"]
    assert any(answer["partial"] == "lo" for answer in answers)
    first = next(n for n, answer in enumerate(answers) if answer["final"])
    assert answers[first]["partial"] == ""
    words = [word for answer in answers for one in answer["final"] for word in one["words"]]
    assert all(a["end"] <= b["begin"] for a, b in itertools.pairwise(words))
    # The second is timed from the beginning of the recording.
    assert words[2]["begin"] > 2 * PAUSE
    assert answers[-1]["seconds"] == pytest.approx(len(sound) / RATE, abs=0.05)


def test_streams_say_what_whole_recordings_say(fresh: Bundle) -> None:
    sound = spoken(["lo mi su", "mi"], pause=0.4)
    rng = np.random.default_rng(0)
    task = fresh.task
    whole = task.transcribe(fresh.model, fresh.config, fresh.schema, [sound])[0]  # type: ignore[attr-defined]
    for cuts in ([], [1, 2, 3], sorted(rng.integers(len(sound), size=20)), range(77, len(sound), 77)):
        answers = heard(fresh, sound, cuts)
        finals = [one for answer in answers for one in answer["final"]]
        assert " ".join(one["text"] for one in finals if one["text"]) == whole.text
        assert [word for one in finals for word in one["words"]] == [word._asdict() for word in whole.words]


def test_states_are_equal_bit_for_bit(fresh: Bundle) -> None:
    sound = spoken(["lo mi su mi lo", "mi"], pause=0.2)
    states = []
    for cuts in ([], range(80, len(sound), 80), [1, 5, 9000]):
        steps = fresh.steps()
        pool = {name: part[None].clone() for name, part in steps.fresh().items()}
        for piece in np.split(sound, cuts):
            steps.step(pool, torch.zeros(1, dtype=torch.int64), [piece])
        states.append({name: part.numpy().tobytes() for name, part in pool.items()})
    assert states[0] == states[1] == states[2]


def test_streams_side_by_side_are_streams_alone(fresh: Bundle) -> None:
    sounds = [spoken([text]) for text in texts(4, seed=3)]
    pool = StreamPool(fresh, 4)
    for name in "abcd":
        pool.open(name)
    alone = [fresh.stream() for _ in sounds]
    rng = np.random.default_rng(1)
    at = [0] * 4
    for _ in range(25):
        given = {}
        for n in rng.permutation(4)[: rng.integers(1, 5)]:
            many = int(rng.integers(1, 900))
            given[int(n)] = sounds[n][at[n] : at[n] + many]
            at[n] += many
        together = pool.step({"abcd"[n]: piece for n, piece in given.items()})
        for n, piece in given.items():
            assert together["abcd"[n]] == alone[n].step(piece)


def test_states_are_kept_and_go_on(fresh: Bundle) -> None:
    sound = spoken(["lo mi su"])
    stream = fresh.stream()
    stream.step(sound[:3000])
    other = fresh.stream()
    other.restore(stream.state())
    assert other.step(sound[3000:]) == stream.step(sound[3000:])
    assert other.step("") == stream.step("")
    # The end of a recording leaves a stream as a fresh one.
    assert stream.state_bytes == fresh.stream().state_bytes
    assert stream.step(sound[:2000]) == fresh.stream().step(sound[:2000])


def test_sound_in_any_form_is_the_same(fresh: Bundle) -> None:
    raw = pcm(spoken(["su lo"]))
    samples = np.frombuffer(raw, dtype="<i2").astype(np.float32) / 32768
    answers = [fresh.stream().step(one) for one in (raw, base64.b64encode(raw).decode(), samples)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        ("%%%", "expected 16-bit PCM in base64, got other characters"),
        (7, "expected a piece of sound, got int"),
        (b"abc", "expected"),
        (np.zeros(3), "expected samples .* got float64"),
        (np.full(3, np.nan, np.float32), "expected samples"),
        (np.zeros((2, 2), np.float32), "expected samples"),
    ],
)
def test_other_observations_are_refused(bundle: Bundle, observation: Any, message: str) -> None:
    stream = bundle.stream()
    before = stream.state()
    with pytest.raises(DataError, match=message):
        stream.step(observation)
    assert stream.state() == before


def test_models_that_read_from_both_ends_do_not_listen(folder: Path, tmp_path: Path) -> None:
    found = untrained("transcribe", folder, tmp_path / "both", live=False, hidden=12, spread=0.6, lm="none")
    with pytest.raises(ConfigError, match="got one that must have the whole recording"):
        found.stream()
    sounds = [say(text, 5) for text in texts(6)]
    together = transcribed(found.model, found.config, found.schema, sounds)  # type: ignore[arg-type]
    assert together == [
        transcribed(found.model, found.config, found.schema, [one])[0]
        for one in sounds  # type: ignore[arg-type]
    ]


def test_silence_and_nothing_are_heard_as_such(bundle: Bundle, fresh: Bundle) -> None:
    nothing = np.zeros(0, np.float32)
    silent, *none = bundle.transcribe([np.zeros(RATE, np.float32), nothing, say("lo", 3)[:100]])
    assert all(word.confidence < 0.5 for word in silent.words)  # training had no recording without words
    assert [one.words for one in none] == [(), ()]
    # Whatever a network makes of nothing, it is what a stream makes of it.
    (whole,) = fresh.transcribe([nothing])
    assert whole.text == " ".join(one["text"] for one in fresh.stream().step("")["final"])


def test_long_utterances_come_in_parts(fresh: Bundle) -> None:
    steps = TranscribeSteps(fresh.model, fresh.schema, Beam(4))  # type: ignore[arg-type]
    sound = spoken(texts(60, seed=4))
    pool = {name: part[None].clone() for name, part in steps.fresh().items()}
    rows = torch.zeros(1, dtype=torch.int64)
    heard = [
        one
        for piece in np.split(sound, range(4000, len(sound), 4000))
        for one in steps.hear(pool, rows, [piece])
    ]
    heard += steps.hear(pool, rows, [sound[:0]])
    finals = [said for one in heard for said in one.final]
    (whole,) = listened(steps, [sound])
    assert len(finals) > 1
    assert [word for said in finals for word in said.words] == list(whole.words)
