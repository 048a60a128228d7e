"""Recordings of a made-up language whose words are tones, which a recogniser learns in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from recurra import bundle
from recurra.bundle import Bundle
from untrained import untrained

Array = np.ndarray[Any, np.dtype[Any]]

RATE = 8_000
# Words and their pitches; how long each is, and the silence between two, in seconds.
PITCHES = {"lo": (250.0, 400.0), "mi": (700.0, 1100.0), "su": (1900.0, 2900.0)}
LONG, BETWEEN = 0.25, 0.15
# Of training: enough that every word is known; recordings of a batch; the learning rate.
STEPS, ROWS, LEARNING_RATE = 240, 16, 1e-2
# As short and plain as a recogniser can be.
PLAIN: dict[str, Any] = {"unit": "words", "beam": 4, "lm": "none"}


def word(pitches: tuple[float, ...], rng: np.random.Generator, rate: int = RATE) -> Array:
    """Samples (LONG · rate,) of a word, each time a little otherwise."""
    t = np.arange(round(LONG * rate * rng.uniform(0.9, 1.1))) / rate
    swell = np.minimum(1, 20 * np.minimum(t, t[::-1]))
    waves = np.sin(2 * np.pi * np.outer(pitches, t) * rng.uniform(0.97, 1.03)).mean(0)
    found: Array = 0.4 * rng.uniform(0.7, 1.3) * swell * waves
    return found


def say(text: str, seed: int = 0, rate: int = RATE, *, before: float = BETWEEN) -> Array:
    """Samples (N,) float32 of a text. before: seconds of silence at its beginning."""
    rng = np.random.default_rng(seed)
    parts = [np.zeros(round(before * rate))]
    for one in text.split():
        parts += [word(PITCHES[one], rng, rate), np.zeros(round(BETWEEN * rate * rng.uniform(0.8, 1.4)))]
    samples = np.concatenate(parts)
    return (samples + rng.normal(0, 0.002, len(samples))).astype(np.float32)


def pcm(samples: Array) -> bytes:
    """The same as 16-bit integers, the lower byte first."""
    return np.round(samples * 32768).clip(-32768, 32767).astype("<i2").tobytes()


def texts(many: int, seed: int = 0) -> list[str]:
    """Texts of two or three words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(list(PITCHES), rng.integers(2, 4))) for _ in range(many)]


def write_tones(folder: Path, many: int = 60, seed: int = 0) -> Path:
    """A folder of recordings and the table of what is said in them."""
    import soundfile  # noqa: PLC0415, the extra [audio]

    folder.mkdir(parents=True, exist_ok=True)
    rows = ["path,text"]
    for number, text in enumerate(texts(many, seed)):
        soundfile.write(folder / f"{number:03}.wav", say(text, seed + number), RATE, subtype="PCM_16")
        rows.append(f"{number:03}.wav,{text}")
    (folder / "transcripts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def fit_tones(folder: Path, steps: int = STEPS, many: int = 60, **options: Any) -> Bundle:
    """A bundle in `folder` that has learnt the words, the same on every machine but for rounding.

    steps: of training, whatever time they take.  many: recordings that it learns from.
    """
    given = {"hidden": 32, "layers": 1, **options}
    source = write_tones(folder.parent / f"{folder.name}-sounds", many)
    made = untrained("transcribe", source, folder, finish=False, **given)
    task: Any = made.task
    data, model = task.read(made.config, source), made.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    epoch, keys = 0, np.zeros((0, 3), dtype=np.int64)
    for _ in range(steps):
        if len(keys) < ROWS:
            keys = np.concatenate([keys, *task.epoch(made.config, data, epoch)])
            epoch += 1
        loss, _ = task.loss(model, task.batch(data, keys[:ROWS]), None)
        keys = keys[ROWS:]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    task.finish(model.eval(), made.config, data)
    bundle.save(folder, task, made.config, data, model, task.evaluate(model, made.config, data), "")
    return bundle.load(folder)
