"""Streams of the classifier: after every step, whatever the pieces, the bits of the whole sequence so far."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from reading import EXAMPLES, VOWELS, long, reviews
from streamed import bundle_of, measured, predicted, without_steps
from test_classify import opinions

import recurra
from recurra.errors import ConfigError, DataError
from recurra.stream import StreamPool
from recurra.stream.lines import Lines
from recurra.stream.snapshot import Identity
from recurra.stream.stream import Stream
from text_pieces import pieces

OUTPUTS = ("last", "mean", "max", "attention")
UNITS = ("words", "characters", "bpe")
TEXTS = (
    "a good film, no 12 - bad  plot , good end!",
    "x",
    "e\u0301te\u0301 ΟΔΟΣ. ΟΔΟΣα ẞ don't re-read\n\tit <\u0338 가\u11a8 你好，再见 \U0001f600",
    "  ",
)
EVENTS = ["up", "idle", " down ", "never seen", None, "up", "up", "nan", "down"]


def of_texts(text, **more):
    """A table whose first row is this text, beside others that make batches of other sizes."""
    return pl.DataFrame({"review": [text, "a good film of some length", ""], **more})


def of_steps(rows, other=7):
    """A table with a sequence of these rows, and others."""
    beside = [dict.fromkeys(rows[0]) for _ in range(other)]
    return pl.from_dicts(
        [{"id": "first", "time": n} | row for n, row in enumerate(rows)]
        + [{"id": f"other{n % 2}", "time": n} | row for n, row in enumerate(beside)],
        infer_schema_length=None,
    )


def stepped(bundle, observations):
    """The last answer of a stream alone."""
    stream = bundle.stream()
    for one in observations:
        answer = stream.step(one)
    return answer


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_text_in_pieces_is_the_text(unit, output):
    bundle = bundle_of(reviews(60), unit=unit, output=output)
    rng = np.random.default_rng(0)
    for text in TEXTS:
        stream, so_far = bundle.stream(), ""
        for n, piece in enumerate([*pieces(text, rng), ""]):
            so_far += piece
            answer = stream.step(piece)
            if n > 8 and n % 4 and piece:
                continue
            assert without_steps(answer) == predicted(bundle, of_texts(so_far))
            tokens = len(bundle.schema.vocabulary.encode(so_far))
            assert answer["steps"] == max(1, tokens)


@pytest.mark.parametrize("cell", ["LSTM", "RNN"])
@pytest.mark.parametrize("networks", [1, 3])
def test_every_cell_and_number_of_networks(cell, networks):
    bundle = bundle_of(reviews(60), cell=cell, networks=networks, hidden=17)
    text = TEXTS[0] * 3
    assert without_steps(stepped(bundle, [text])) == predicted(bundle, of_texts(text))
    assert stepped(bundle, text) == stepped(bundle, [text])


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_long_piece_is_read_in_rounds(output, monkeypatch):
    monkeypatch.setattr("recurra.tasks.classify.slots.TOKENS", 7)
    bundle = bundle_of(reviews(60), output=output)
    text = " ".join(TEXTS) * 5
    answer = stepped(bundle, [text[:100], text[100:]])
    assert without_steps(answer) == predicted(bundle, of_texts(text))


@pytest.mark.parametrize("output", OUTPUTS)
def test_events(output):
    bundle = bundle_of(long().drop("x"), label="label", channels="state", output=output)
    stream = bundle.stream()
    for n, event in enumerate(EVENTS, 1):
        answer = stream.step(event)
        frame = of_steps([{"state": one} for one in EVENTS[:n]])
        assert without_steps(answer) == predicted(bundle, frame)
        assert answer["steps"] == n


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_series(output, channels):
    """Longer than the ring of past steps, so that it has gone round."""
    frame = measured(channels=channels, steps=60)
    bundle = bundle_of(frame, label="label", id="id", output=output)
    assert any(one.gaps for one in bundle.schema.channels)
    assert len(bundle.schema.shape.dilations) > 1
    stream = bundle.stream()
    names = [one.name for one in bundle.schema.channels]
    rows = measured(sequences=1, steps=75, channels=channels, seed=5).select(names).to_dicts()
    rows[3] = dict.fromkeys(names)
    rows[4][names[0]] = 1e300
    for n, row in enumerate(rows, 1):
        answer = stream.step(row)
        if n < 8 or n % 11 == 0 or n == len(rows):
            assert without_steps(answer) == predicted(bundle, of_steps(rows[:n]))
        assert answer["steps"] == n


def test_series_of_numbers_alone_from_an_archive():
    bundle = bundle_of(VOWELS)
    examples = bundle.task.read(bundle.config, EXAMPLES / "JapaneseVowels_TEST.ts.gz", bundle.schema).examples
    raw = recurra.data.archives.read_archive(EXAMPLES / "JapaneseVowels_TEST.ts.gz").series
    found = bundle.predict(EXAMPLES / "JapaneseVowels_TEST.ts.gz")
    names = [one.name for one in bundle.schema.channels]
    pool = StreamPool(bundle, 5)
    some = {pool.open(): n for n in (0, 3, 9, 200)}
    for step in range(max(len(examples.x[n]) for n in some.values())):
        for name, answer in pool.step(
            {
                name: dict(zip(names, raw[n][step].tolist(), strict=True))
                for name, n in some.items()
                if step < len(raw[n])
            }
        ).items():
            if answer["steps"] == len(raw[some[name]]):
                expected = found.row(some[name], named=True)
                assert answer["probabilities"] == {k: expected[f"p({k})"] for k in bundle.schema.classes}


def test_several_labels():
    frame = opinions(60).with_columns(
        good=(pl.col("label") == "pos").cast(pl.Int64),
        film=pl.col("text").str.contains("film").cast(pl.Int64),
    )
    bundle = bundle_of(frame.drop("label"), label=("good", "film"))
    text = "not a bad film"
    for size in range(len(text) + 1):
        answer = stepped(bundle, [text[:size]])
        assert set(answer) == {"labels", "probabilities", "steps"}
        assert without_steps(answer) == predicted(bundle, pl.DataFrame({"text": [text[:size], "a plot"]}))


@pytest.mark.parametrize("kind", ["text", "events", "series"])
def test_streams_of_any_order_and_age_are_each_as_if_alone(kind):
    bundle, observe = KINDS[kind]()
    rng = np.random.default_rng(1)
    pool = StreamPool(bundle, 12)
    alone, said = {}, {}
    for _ in range(60):
        if alone and rng.random() < 0.2:
            name = str(rng.choice(list(alone)))
            pool.close(name)
            del alone[name]
        while len(alone) < 12 and rng.random() < 0.5:
            alone[pool.open()] = bundle.stream()
        some = [name for name in alone if rng.random() < 0.6]
        rng.shuffle(some)
        given = {name: observe(rng) for name in some}
        answers = pool.step(given)
        assert list(answers) == some
        for name in some:
            assert answers[name] == alone[name].step(given[name])
            said[name] = answers[name]
        for name in alone:
            if rng.random() < 0.05:
                saved = pool.state(name)
                pool.close(name)
                pool.open(name, saved)
    assert len(said) > 12


def _texts():
    words = ["good", " film", ", ", "not", " bad", "", " ", "é", "x " * 40, "\u0301"]
    return bundle_of(reviews(60), output="attention"), lambda rng: str(rng.choice(words))


def _events():
    bundle = bundle_of(long().drop("x"), label="label", channels="state", output="mean")
    return bundle, lambda rng: EVENTS[int(rng.integers(0, len(EVENTS)))]


def _series():
    bundle = bundle_of(measured(), label="label", id="id", output="max")
    rows = measured(seed=3).select(one.name for one in bundle.schema.channels).to_dicts()
    return bundle, lambda rng: rows[int(rng.integers(0, len(rows)))]


KINDS = {"text": _texts, "events": _events, "series": _series}


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_goes_out_and_comes_back(kind):
    bundle, observe = KINDS[kind]()
    rng = np.random.default_rng(2)
    given = [observe(rng) for _ in range(20)]
    stream = bundle.stream(keep=5)
    size = len(stream.state())
    for one in given[:10]:
        stream.step(one)
    saved, fork, other = stream.state(), stream.fork(), bundle.stream()
    assert len(saved) == pytest.approx(size, abs=16)
    expected = [stream.step(one) for one in given[10:]]
    other.restore(saved)
    assert [fork.step(one) for one in given[10:]] == expected
    assert [other.step(one) for one in given[10:]] == expected
    stream.rewind(4)
    assert [stream.step(one) for one in given[16:]] == expected[-4:]
    stream.rewind()
    assert [stream.step(one) for one in given][10:] == expected
    json.dumps(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_says_of_itself(kind):
    bundle, observe = KINDS[kind]()
    steps = bundle.steps()
    assert steps.kind == {"text": "text", "events": "event", "series": "numbers"}[kind]
    assert bundle.stream().step(steps.example)
    json.dumps([steps.observation, steps.example])
    forms = {name: (part.shape, part.dtype) for name, part in steps.fresh().items()}
    pool = {name: part[None].clone() for name, part in steps.fresh().items()}
    rng = np.random.default_rng(0)
    for _ in range(5):
        steps.step(pool, torch.tensor([0]), [steps.checked(observe(rng))])
    assert {name: (part.shape[1:], part.dtype) for name, part in pool.items()} == forms


def test_a_word_that_does_not_end():
    bundle = bundle_of(reviews(60))
    pool = StreamPool(bundle, 2)
    one, two = pool.open(), pool.open()
    pool.step({one: "a good", two: "a bad"})
    before = pool.state(one)
    answers = pool.step({one: "z" * 1021, two: " film"})
    assert str(answers[one]) == (
        "expected words and pieces of text without a space of at most 1,024 bytes, got 1,025 bytes that may "
        "still go on. Put white space between."
    )
    assert pool.state(one) == before
    assert without_steps(answers[two]) == predicted(bundle, of_texts("a bad film"))
    answer = pool.step({one: "z" * 1020})[one]
    assert without_steps(answer) == predicted(bundle, of_texts("a good" + "z" * 1020))


def refused(bundle, observation):
    with pytest.raises(DataError) as caught:
        bundle.stream().step(observation)
    return str(caught.value)


def test_mistakes():
    text, _ = _texts()
    assert refused(text, 7) == "expected a piece of text, got int. Give a string, which may be empty."
    assert refused(text, "ab\ud83d") == (
        "expected whole characters, got half of one, U+D83D, at character 3. Give both halves in one piece."
    )
    events, _ = _events()
    assert refused(events, ["up"]) == (
        "column 'state': expected a category or null, got list. Give its name."
    )
    assert refused(events, "\ud83d").startswith("column 'state': expected a category, got '\\ud83d', which")
    series, observe = _series()
    row = observe(np.random.default_rng(0))
    assert refused(series, 3.0) == (
        "expected values by the names of the channels, got float. Give an object with 'x0', 'x1', 'state'."
    )
    assert refused(series, {"x0": 1.0, "x1": None}) == (
        "column 'state': expected a value at each step, got none. Give null where it is missing."
    )
    assert refused(series, row | {"y": 1}) == (
        "column 'y': expected the channels 'x0', 'x1', 'state', got another. Leave it out."
    )
    for value, shown in (("1.5", "'1.5'"), (float("inf"), "inf"), (10**400, "int"), ([1], "list")):
        assert refused(series, row | {"x1": value}) == (
            f"column 'x1': expected a finite number or null, got {shown}. "
            "Give null where the value is missing."
        )
    assert refused(series, row | {"state": {}}) == (
        "column 'state': expected a category or null, got dict. Give its name."
    )


def test_a_model_that_reads_from_both_ends():
    bundle = bundle_of(reviews(60), bidirectional=True)
    with pytest.raises(ConfigError) as caught:
        bundle.stream()
    assert str(caught.value) == (
        "expected a model that reads in one direction, got one that reads from both ends and must see "
        "the end first. Fit it without bidirectional."
    )


def test_a_stream_goes_on_where_a_file_is_cut():
    bundle = bundle_of(reviews(60), longest=3)
    words = "a good film and then a bad plot"
    assert stepped(bundle, [words]) != stepped(bundle, ["a good film"])
    assert predicted(bundle, of_texts(words)) == predicted(bundle, of_texts("a good film"))


@pytest.mark.parametrize("output", OUTPUTS)
def test_running_and_forward_are_one(output):
    """Of models as they are, in every unit: the last of the running answers has the bits of the whole."""
    for bundle, frame in (
        (bundle_of(reviews(60), output=output), reviews(60)),
        (bundle_of(measured(), label="label", id="id", output=output), measured()),
    ):
        examples = bundle.task.read(bundle.config, frame, bundle.schema).examples
        x, lengths = examples.x.padded(np.arange(6))
        with torch.no_grad():
            whole, running = bundle.model(x, lengths), bundle.model.running(x, lengths)
            assert torch.equal(running[torch.arange(6), lengths - 1], whole)
            for n in range(6):
                half = max(1, int(lengths[n]) // 2)
                alone = bundle.model(x[n : n + 1, :half], torch.tensor([half]))
                assert torch.equal(running[n, half - 1], alone[0])


def test_a_fitted_bundle(tmp_path):
    out = tmp_path / "run"
    recurra.fit("classify", opinions(60), out=out, quiet=True, hidden=8, time_budget=3)
    bundle = recurra.load(out)
    stream = bundle.stream()
    assert isinstance(stream, Stream)
    for size, letter in enumerate("not a good film", 1):
        answer = stream.step(letter)
        expected = predicted(bundle, pl.DataFrame({"text": ["not a good film"[:size], "bad"]}))
        assert without_steps(answer) == expected
    again = recurra.load(out).stream()
    again.restore(stream.state())
    assert again.step(", really") == stream.step(", really")
    assert Identity.of(bundle).task == "classify"


def test_lines_of_text_that_name_their_streams():
    bundle = bundle_of(reviews(60))
    lines, alone = Lines(StreamPool(bundle, 2), by="user"), bundle.stream()
    for text in ("a good ", "film"):
        told = json.loads(lines.answer(json.dumps({"user": "kim", "text": text}).encode()))
        assert told == {"user": "kim", **alone.step(text)}
    told = json.loads(lines.answer(b'{"user": "kim", "text": "a", "more": "b"}'))
    assert told["error"].startswith("line 3: expected one field beside 'user', got ")
    assert told["error"].endswith(". Give the text in it.")
