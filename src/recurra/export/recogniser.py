"""Writes down what is said with the graphs of a folder: reader.py, which lies beside it, loads them.

It needs numpy and Python's own library. A text is the likeliest token of each step; the bundle searches with
its language model, and makes fewer errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

NEXT = "next_"


class Recogniser:
    """Sound to text. model: the graphs `hears`, `whole`, of a live one `step`, and what reader.json says."""

    def __init__(self, model: Any, tokens: Any) -> None:
        self.model, self.record = model, model.record
        self.tokens = tokens(self.record["tokens"])

    def transcribe(self, samples: Array) -> str:
        """What is said in a recording: samples (N,) float32 in [-1, 1], at the rate in reader.json."""
        steps = Ears(self.model).steps(samples, ended=True)
        found = self.model.whole(steps=steps[None], lengths=np.array([len(steps)]))
        return self.text(found["log_probabilities"][0])

    def text(self, logs: Array) -> str:
        """Of the likeliest tokens of steps (T, V)."""
        best = logs.argmax(1)
        first = np.append(True, best[1:] != best[:-1])
        return self.spelt(best[first & (best != self.record["border"])].tolist())

    def spelt(self, numbers: Sequence[int]) -> str:
        """The text of tokens, with one space between words."""
        tokens = [self.tokens.tokens[number] for number in numbers]
        if self.tokens.unit == "bpe":
            raw = bytes(self.tokens.byte_of[one] for token in tokens for one in token)
            tokens = [raw.decode("utf-8", "replace")]
        return " ".join((" " if self.tokens.unit == "words" else "").join(tokens).split())

    def stream(self) -> Stream:
        """A recording that is heard piece by piece, in constant memory but for its tokens."""
        if "states" not in self.record:
            raise ValueError(
                "expected a model that listens live, got one that must have the whole recording."
            )
        return Stream(self)


class Ears:
    """Samples as they come to the steps of the network."""

    def __init__(self, model: Any) -> None:
        self.model, self.record = model, model.record
        self.samples = np.zeros(0, dtype=np.float32)
        self.mean = np.array(self.record["mean"]["first"], dtype=np.float32)
        self.frames = np.zeros((0, len(self.mean)), dtype=np.float32)
        self.seen = 0

    def steps(self, samples: Array, ended: bool = False) -> Array:
        """Steps (T, stack · bands) that are whole with these samples; ended: and the tail after them."""
        frame = self.record["frame"]
        samples = np.concatenate([self.samples, samples.astype(np.float32)])
        found = np.zeros((0, len(self.mean)), dtype=np.float32)
        if len(samples) >= frame["window"]:
            found = self.model.hears(samples=samples)["frames"]
        self.samples = samples[len(found) * frame["hop"] :]
        frames = np.concatenate([self.frames, self._normal(found)])
        many = len(frames) // frame["stack"]
        self.frames = frames[many * frame["stack"] :]
        steps = frames[: many * frame["stack"]].reshape(many, frame["stack"] * frames.shape[1])
        tail = frame["tail"] if ended else 0
        return np.concatenate([steps, np.zeros((tail, steps.shape[1]), dtype=np.float32)])

    def _normal(self, frames: Array) -> Array:
        """Frames less the mean that follows them, over the training part's deviation."""
        about: Mapping[str, int] = self.record["mean"]
        found = np.empty_like(frames)
        for row, one in zip(found, frames, strict=True):
            self.seen += 1
            many = np.float32(min(about["prior"] + self.seen, about["reach"]))
            self.mean += (one - self.mean) * (np.float32(1) / many)
            row[:] = one - self.mean
        return found / np.array(self.record["deviation"], dtype=np.float32)


class Stream:
    """One recording. text: what has been heard of it so far."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser, self.ears = recogniser, Ears(recogniser.model)
        self.state = {
            name: np.full((1, *one["shape"]), np.asarray(one["initial"], one["dtype"]))
            for name, one in recogniser.record["states"].items()
        }
        self.heard: list[int] = []
        self.last = recogniser.record["border"]

    @property
    def text(self) -> str:
        """What has been heard so far."""
        return self.recogniser.spelt(self.heard)

    def step(self, samples: Array, ended: bool = False) -> str:
        """Hear a piece of sound of any length; the text so far."""
        border = self.recogniser.record["border"]
        for one in self.ears.steps(samples, ended):
            found = self.recogniser.model.step(step=one[None], **self.state)
            self.state = {name: found[NEXT + name] for name in self.state}
            token = int(found["log_probabilities"][0].argmax())
            if token not in (border, self.last):
                self.heard.append(token)
            self.last = token
        return self.text
