"""Reads what `recurra export` has written and answers as the bundle does: text in, classes or chances out.

It needs numpy, onnxruntime and Python's own library, neither recurra nor torch: take this file along.

    import reader                       # or: from recurra.export import reader
    model = reader.load("runs/reviews/onnx")
    model.predict(["a fine film"])      # classify: texts, lists of events, or dicts of columns
    model.stream().step("fine")         # the same, step by step
    model.score("To be, or not to be")  # language: each token with its surprise
    model.translate(["ein Satz"])       # translate: the best translations; needs translator.py beside it
    model.transcribe(samples)           # transcribe: what is said in a recording; needs recogniser.py
    model.caption(["photo.jpg"])        # caption: what pictures show; needs captioner.py
    model.predict(past=…, members=…)    # forecast: quantiles of inputs as reader.json describes them
"""

from __future__ import annotations

import json
import math
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

Array = np.ndarray[Any, np.dtype[Any]]
Record = Mapping[str, Any]

FORMAT = 1
NEXT = "next_"
TOGETHER = 20_000  # padded steps that are looked at together
REMEMBERED = 500_000  # words with their pieces; of more, memory would grow with the text
# What reads the models of a task, and in which file beside this one it stands.
BESIDE = {
    "translate": ("translator", "Translator"),
    "transcribe": ("recogniser", "Recogniser"),
    "caption": ("captioner", "Captioner"),
}
BORDER, UNKNOWN = 0, 1  # of a language model's tokens; 1 is the unknown one of a classifier's, too


def load(folder: str | os.PathLike[str], int8: bool = False) -> Any:
    """A model of the folder that `recurra export` has written; int8: with weights of eight bits."""
    where = Path(folder)
    record = json.loads((where / "reader.json").read_text(encoding="utf-8"))
    if record["format"] > FORMAT:
        raise ValueError(
            f"expected a reader.json of format {FORMAT} or less, got {record['format']}. "
            "Take the reader.py that lies beside it."
        )
    if record["task"] in BESIDE:
        module, kind = BESIDE[record["task"]]
        beside = import_module(f"{__package__}.{module}" if __package__ else module)
        return getattr(beside, kind)(Model(record, where, int8), Tokens)
    kinds = {"classify": Classifier, "language": LanguageModel, "forecast": Forecaster}
    return kinds[record["task"]](record, where, int8)


class Model:
    """The graphs of a folder. whole, step: called with inputs by name, they give outputs by name."""

    whole: Network
    step: Network

    def __init__(self, record: Record, folder: Path, int8: bool) -> None:
        self.record = record
        for name, about in record["networks"].items():
            setattr(self, name, Network(folder / about["int8" if int8 else "float32"]["file"]))

    def stream(self) -> Stream:
        """A sequence that is read step by step, in constant memory."""
        if "states" not in self.record or not hasattr(self, "step"):
            raise ValueError("expected a model that goes on step by step, got one that must see the end.")
        return Stream(self)


class Network:
    """One graph in ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.outputs = [one.name for one in self.session.get_outputs()]

    def __call__(self, **inputs: Array) -> dict[str, Array]:
        return dict(zip(self.outputs, self.session.run(self.outputs, inputs), strict=True))


class Stream:
    """One sequence. state: arrays by name, which can be kept and put back."""

    def __init__(self, model: Any) -> None:
        self.model, self.steps = model, 0
        self.state = fresh(model.record["states"], 1)

    def step(self, observation: Any) -> dict[str, Any]:
        """Take the sequence one observation on; what the model says now."""
        found = self.model.step(**self.model.observed(observation), **self.state)
        self.state = {name: found[NEXT + name] for name in self.state}
        self.steps += 1
        return {**self.model.answers(found)[0], "steps": self.steps}


def fresh(states: Mapping[str, Record], rows: int) -> dict[str, Array]:
    """The states of sequences that have not begun."""
    return {
        name: np.full((rows, *one["shape"]), np.asarray(one["initial"], one["dtype"]))
        for name, one in states.items()
    }


class Classifier(Model):
    """Texts, events or series: which class each is of."""

    def __init__(self, record: Record, folder: Path, int8: bool) -> None:
        super().__init__(record, folder, int8)
        self.series = record["kind"] == "series"
        self.cut = Vocabulary(record["vocabulary"]) if record["kind"] == "text" else None
        self.channels = record.get("channels", [])
        self.places = [{c: at for at, c in enumerate(one["categories"])} for one in self.channels]

    def predict(self, sequences: Sequence[Any]) -> list[dict[str, Any]]:
        """A dict for each sequence: its class, how surely, and the probability of every class.

        sequences: texts; lists of events' names; or, for series, dicts of lists, one for each channel,
        None or NaN where a value is missing.
        """
        inputs = [self.encode(one) for one in sequences]
        found: list[dict[str, Any]] = [{} for _ in inputs]
        order = sorted(range(len(inputs)), key=lambda n: length(inputs[n]))
        while order:
            many = max(1, TOGETHER // length(inputs[order[0]]))
            part = [n for n in order[:many] if length(inputs[n]) * many <= 2 * TOGETHER] or order[:1]
            order = order[len(part) :]
            answers = self.answers(self.whole(**padded([inputs[n] for n in part])))
            for n, answer in zip(part, answers, strict=True):
                found[n] = answer
        return found

    def encode(self, sequence: Any) -> dict[str, Array]:
        """The arrays of one sequence, (T, ...), no more than its first steps, and at least one."""
        most = self.record["longest"]
        if not self.series:
            numbers = self.cut.encode(sequence) if self.cut else [self.event(one) for one in sequence]
            return {"tokens": np.array(numbers[:most] or [UNKNOWN], dtype=np.int64)}
        steps = max((len(column) for column in sequence.values()), default=0)
        rows = [{name: column[t] for name, column in sequence.items()} for t in range(min(steps, most))]
        each = [self.values(row) for row in rows or [{}]]
        return {name: np.stack([one[name] for one in each]) for name in each[0]}

    def event(self, name: object) -> int:
        """The number of an event."""
        return self.places[0].get(str(name).strip(), UNKNOWN - 2) + 2

    def values(self, row: Mapping[str, Any]) -> dict[str, Array]:
        """The figures and the codes of one step of a series."""
        figures, codes = [], []
        for one, places in zip(self.channels, self.places, strict=True):
            cell = row.get(one["name"])
            if one["kind"] == "numeric":
                figures.append(math.nan if cell is None else float(cell))
            else:
                text = "" if cell is None else str(cell).strip()
                gone = text.lower() in self.record["missing"]
                codes.append(-1 if gone else places.get(text, len(places)))
        both = {"values": np.array(figures), "codes": np.array(codes, dtype=np.int64)}
        return {name: one for name, one in both.items() if len(one)}

    def observed(self, observation: Any) -> dict[str, Array]:
        """One step: a token of a text, an event's name, or a dict of a series' cells."""
        if self.series:
            return {name: one[None] for name, one in self.values(observation).items()}
        number = self.cut.numbers.get(observation, UNKNOWN) if self.cut else self.event(observation)
        return {"tokens": np.array([number], dtype=np.int64)}

    def answers(self, found: Mapping[str, Array]) -> list[dict[str, Any]]:
        """Probabilities (B, K) as dicts."""
        classes = self.record["classes"]
        answers: list[dict[str, Any]] = []
        for row in found["probabilities"]:
            chances = dict(zip(classes, row.tolist(), strict=True))
            best = classes[int(row.argmax())]
            said = {"class": best, "probability": chances[best]}
            if self.record["several"]:
                said = {"labels": [one for one in classes if chances[one] >= 0.5]}
            answers.append({**said, "probabilities": chances})
        return answers


def length(inputs: Mapping[str, Array]) -> int:
    """Steps of a sequence."""
    return len(next(iter(inputs.values())))


def padded(inputs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Sequences as one batch, zeros beyond their ends, and their lengths."""
    lengths = np.array([length(one) for one in inputs], dtype=np.int64)
    batch = {"lengths": lengths}
    for name, one in inputs[0].items():
        batch[name] = np.zeros((len(inputs), lengths.max(), *one.shape[1:]), dtype=one.dtype)
        for row, given in zip(batch[name], inputs, strict=True):
            row[: len(given[name])] = given[name]
    return batch


class LanguageModel(Model):
    """Text: how surprising each token is, and what comes next."""

    def __init__(self, record: Record, folder: Path, int8: bool) -> None:
        super().__init__(record, folder, int8)
        self.cut = Tokens(record["tokens"])

    def score(self, text: str | bytes) -> list[dict[str, Any]]:
        """A dict for each token of a text: token, nats, bits; as `Bundle.score` has them for one file."""
        tokens = self.documents(text)
        told = zip(tokens[1:].tolist(), self.nats(tokens).tolist(), strict=True)
        words = ((self.cut.text(number), nats) for number, nats in told if number != BORDER)
        return [{"token": word, "nats": nats, "bits": nats / math.log(2)} for word, nats in words]

    def documents(self, text: str | bytes) -> Array:
        """(T,) the text's tokens with a BORDER before each document."""
        how, unit = self.record["documents"], self.record["tokens"]["unit"]
        if isinstance(text, str) and (how != "file" or unit == "words") and not text.endswith("\n"):
            text += "\n"
        if isinstance(text, str) and how != "file":
            text = re.sub(r"\n[ \t\r\f\v]+(?=\n)", "\n", "\n" + text)[1:]
        numbers = np.array(self.cut.encode(text), dtype=np.int64)
        starts = np.zeros(len(numbers), dtype=bool)
        if how != "file" and len(numbers):
            ends = np.concatenate([[False, False], numbers == self.cut.newline])
            starts = ~ends[2:]
            starts[starts.argmax()] = False
            for back in range(1, {"line": 1, "blank": 2}[how] + 1):
                starts &= ends[2 - back : len(ends) - back]
        starts[:1] = True
        return np.insert(numbers, np.flatnonzero(starts), BORDER)

    def nats(self, tokens: Array) -> Array:
        """(T - 1,) of tokens[1:], each given those before it in its document; 0 for a BORDER.

        A long text is read in streams side by side, each after some tokens before it.
        """
        sizes = self.record["streams"]
        found = np.zeros(max(0, len(tokens) - 1), dtype=np.float32)
        many = int(np.clip(len(found) // sizes["tokens"], 1, sizes["most"]))
        size = -(-len(found) // many)
        rows = []
        for begin in range(0, len(found), max(1, size)):
            first, last = max(0, begin - sizes["warm_up"]) if begin else 0, min(begin + size, len(found))
            cuts = [first, *(first + 1 + np.flatnonzero(tokens[first + 1 : last] == BORDER)), last]
            rows += [(a, b, begin) for a, b in pairwise(cuts) if b > begin]
        rows.sort(key=lambda row: row[1] - row[0])
        for at in range(0, len(rows), sizes["most"]):
            self._read(tokens, rows[at : at + sizes["most"]], found)
        return found

    def _read(self, tokens: Array, rows: Sequence[tuple[int, int, int]], found: Array) -> None:
        """The nats of rows (a, b, kept from where on), each from a state of zeros, side by side."""
        states = fresh(self.record["states"], len(rows))
        most = min(512, max(1, self.record["streams"]["chances"] // (len(rows) * len(self.cut.tokens))))
        longest = max(b - a for a, b, _ in rows)
        for t in range(0, longest, most):
            steps = min(most, longest - t)
            x, y = np.zeros((2, len(rows), steps), dtype=np.int64)
            for n, (a, b, _) in enumerate(rows):
                piece = tokens[a + t : min(a + t + steps, b) + 1]
                x[n, : max(0, len(piece) - 1)], y[n, : max(0, len(piece) - 1)] = piece[:-1], piece[1:]
            lengths = np.array([np.clip(b - a - t, 1, steps) for a, b, _ in rows])
            out = self.whole(tokens=x, targets=y, lengths=lengths, **states)
            states = {name: out[NEXT + name] for name in states}
            for (a, b, kept), nats in zip(rows, out["nats"], strict=True):
                begin, end = max(a + t, kept), min(a + t + steps, b)
                if end > begin:
                    found[begin:end] = nats[begin - a - t : end - a - t]

    def observed(self, observation: Any) -> dict[str, Array]:
        """A token by its number, or by its text; None begins a document."""
        number = self.cut.encode(observation)[-1] if isinstance(observation, str) else observation or BORDER
        return {"tokens": np.array([number], dtype=np.int64)}

    def answers(self, found: Mapping[str, Array]) -> list[dict[str, Any]]:
        """The likeliest next tokens."""
        logs = found["log_probabilities"]
        best = np.argsort(-logs, axis=1)[:, :10]
        return [
            {"next": [{"token": self.cut.text(int(n)), "p": float(np.exp(row[n]))} for n in some]}
            for row, some in zip(logs, best, strict=True)
        ]


class Forecaster(Model):
    """Quantiles of the steps after an origin; what the inputs are is described in reader.json."""

    def predict(self, **inputs: Any) -> Array:
        """(B, H, Q) float64 in the data's unit, for rows of inputs, as `meanings` in reader.json has them."""
        types = [(one["name"], one["dtype"]) for one in self.record["networks"]["whole"]["inputs"]]
        return self.whole(**{name: np.asarray(inputs[name], kind) for name, kind in types})["quantiles"]


class Pieces:
    """Byte-pair encoding: pairs of neighbours are joined, those that were learnt first before the others."""

    def __init__(self, merges: Sequence[Sequence[str]]) -> None:
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
        self.known: dict[str, list[str]] = {}

    def __call__(self, word: str) -> list[str]:
        if len(self.known) > REMEMBERED:
            self.known.clear()
        if word not in self.known:
            parts = list(word)
            while len(parts) > 1:
                ranks = [self.ranks.get(pair, math.inf) for pair in pairwise(parts)]
                at = min(range(len(ranks)), key=ranks.__getitem__)
                if ranks[at] == math.inf:
                    break
                parts[at : at + 2] = [parts[at] + parts[at + 1]]
            self.known[word] = parts
        return self.known[word]


class Vocabulary:
    """A classifier's tokens of text."""

    WORD = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
    SPACE = "\u2581"

    def __init__(self, record: Record) -> None:
        self.unit, self.lower = record["unit"], record["lower"]
        self.numbers = {token: number for number, token in enumerate(record["tokens"])}
        self.pieces = Pieces(record["merges"])

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens."""
        return [self.numbers.get(token, UNKNOWN) for token in self.split(text)]

    def split(self, text: str) -> list[str]:
        """The tokens that stand in a text."""
        text = unicodedata.normalize("NFC", text)
        if self.unit == "bpe":
            text = "".join(one.lower() for one in text) if self.lower else text
            return [piece for word in self.words(text) for piece in self.pieces(word)]
        text = text.lower() if self.lower else text
        return list(text) if self.unit == "characters" else self.WORD.findall(text)

    def words(self, text: str) -> Iterator[str]:
        """What pieces are made of: words with the space before them, and signs of punctuation alone."""
        text = text.replace(" ", self.SPACE)
        text = text if not text or text.startswith(self.SPACE) else self.SPACE + text
        for word in re.findall(f"{self.SPACE}[^{self.SPACE}]*", text):
            begun = ""
            for one in word:
                if unicodedata.category(one).startswith("P") or one in "$+<=>^`|~":
                    yield from (part for part in (begun, one) if part)
                    begun = ""
                else:
                    begun += one
            if begun:
                yield begun


class Tokens:
    """A language model's tokens, of which nothing is lost; pieces as recurra.data.pieces has them."""

    WORD = re.compile(r"\S{1,100}|\n")
    SIGNS = "!-/:-@\\[-`{-\u00bf\u2000-\u206f\u3000-\u303f\uff00-\uff0f"
    LETTER, SIGN, SPACE = f"[^\x00-@{SIGNS}]", f"[\x00-\x08\x0e-\x1f{SIGNS}]", "[\t\x0b-\r ]"
    RUN = re.compile(
        f" ?(?:'?{LETTER}{{1,99}}|[0-9]{{1,3}}|{SIGN}{{1,99}})"
        f"|{SPACE}{{1,99}}(?![^\t-\r ])|{SPACE}{{1,99}}|\n"
    )
    OWN = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))

    def __init__(self, record: Record) -> None:
        self.unit, self.tokens = record["unit"], record["tokens"]
        self.numbers = {token: number for number, token in enumerate(self.tokens) if number > UNKNOWN}
        others = [byte for byte in range(256) if byte not in self.OWN]
        self.letters = {byte: chr(byte) for byte in self.OWN}
        self.letters |= {byte: chr(256 + at) for at, byte in enumerate(others)}
        self.byte_of = {letter: byte for byte, letter in self.letters.items()}
        self.pieces = Pieces(record["merges"])
        self.newline = self.numbers[{"bytes": "<0x0A>", "bpe": self.letters[10]}.get(self.unit, "\n")]

    def encode(self, text: str | bytes) -> list[int]:
        """The numbers of a text's tokens."""
        if self.unit == "bytes":
            raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            return [byte + 2 for byte in raw]
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        if self.unit == "bpe":
            text = re.sub("[\ud800-\udfff]", "\ufffd", text)
            written = ("".join(self.letters[byte] for byte in run.encode()) for run in self.RUN.findall(text))
            return [self.numbers[piece] for run in written for piece in self.pieces(run)]
        unknown = self.numbers.get("<unk>", UNKNOWN) if self.unit == "words" else UNKNOWN
        found = text if self.unit == "characters" else self.WORD.findall(text)
        return [self.numbers.get(one, unknown) for one in found]

    def text(self, number: int) -> str:
        """What a token stands for."""
        token: str = self.tokens[number]
        if number <= UNKNOWN or self.unit in ("characters", "words"):
            return token
        raw = bytes([number - 2]) if self.unit == "bytes" else bytes(self.byte_of[one] for one in token)
        return raw.decode("utf-8", "replace")
