"""Text as numbers: by characters, by words, or by the pieces that byte-pair encoding finds."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from recurra.data.frequency import Array
from recurra.data.ragged import Ragged
from recurra.errors import ConfigError

Unit = Literal["characters", "words", "bpe"]

# Number 0 pads, number 1 stands for whatever training did not show.
PADDING, UNKNOWN = "", "<unknown>"
# A word with the apostrophes and hyphens inside it, else one sign of punctuation.
WORD = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
# What byte-pair encoding puts in the place of a space, so that pieces know where words begin.
SPACE = "\u2581"
# Texts whose median is below this many words are names, codes and the like: their letters tell them apart.
FEW_WORDS = 2.5
# "Words" of more letters than this on average belong to no language: genes, codes.
LONG_WORDS = 15.0
# Thai, Lao, Burmese, Khmer; kana; Chinese characters: scripts without spaces between words.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
MOSTLY = 0.5
# With this many words in all there is enough to learn pieces from; they help where more than this share of
# the running words occur once, as in languages that inflect much.
PIECES_FROM, RARE = 300_000, 0.08
SAMPLE = 2000


class Vocabulary(BaseModel):
    """The tokens of texts and how texts are split into them.

    tokens: in the order of their numbers; 0 is padding, 1 is the unknown one.
    merges: for byte-pair encoding, the pairs that are joined, in order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Unit
    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()
    lower: bool = False

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> Array:
        """A text's token numbers, (T,) int32."""
        numbers = self._numbers
        return np.array([numbers.get(one, 1) for one in self._tokens_of(text)], dtype=np.int32)

    def encode_all(self, texts: Sequence[str]) -> Ragged:
        """Many texts' token numbers."""
        return Ragged.of([self.encode(text) for text in texts])

    def split(self, text: str) -> list[str]:
        """The pieces of the text, one for each token, as they stand in it."""
        if self.unit == "bpe":
            text = unicodedata.normalize("NFC", text)
            found = self._pieces.encode(text, add_special_tokens=False)
            return [text[begin:end] for begin, end in found.offsets]
        return split_text(text, self.unit)

    def decode(self, numbers: Iterable[int]) -> str:
        """A text with these tokens, in which spaces may lie elsewhere."""
        tokens = [self.tokens[int(n)] for n in numbers if int(n) != 0]
        if self.unit == "words":
            return " ".join(tokens)
        return "".join(tokens).replace(SPACE, " ").strip() if self.unit == "bpe" else "".join(tokens)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def _tokens_of(self, text: str) -> list[str]:
        if self.unit == "bpe":
            text = unicodedata.normalize("NFC", text)
            tokens: list[str] = self._pieces.encode(text, add_special_tokens=False).tokens
            return tokens
        return split_text(text.lower() if self.lower else text, self.unit)

    @cached_property
    def _pieces(self) -> Any:
        return _piecer(self._numbers, self.merges, self.lower)


def split_text(text: str, unit: Unit) -> list[str]:
    """A text's characters, or its words with every sign of punctuation by itself."""
    text = unicodedata.normalize("NFC", text)
    return list(text) if unit == "characters" else WORD.findall(text)


def fit_vocabulary(texts: Sequence[str], unit: Unit, most: int, least: int) -> Vocabulary:
    """The `most` tokens that occur most, each at least `least` times. ConfigError without tokenizers."""
    if unit == "bpe":
        return _fit_pieces(texts, most, least)
    lower = unit == "words"
    counts = Counter(chain.from_iterable(split_text(t.lower() if lower else t, unit) for t in texts))
    # Ties by the token itself, so that the order of the texts does not matter.
    usual = sorted((one for one in counts if counts[one] >= least), key=lambda one: (-counts[one], one))
    return Vocabulary(unit=unit, tokens=(PADDING, UNKNOWN, *usual[: most - 2]), lower=lower)


def choose_unit(texts: Sequence[str], examples: int) -> tuple[Unit, str]:
    """What to split texts into, and why. examples: how many texts there are to learn from."""
    some = texts[:: max(1, len(texts) // SAMPLE)]
    words = [split_text(text.lower(), "words") for text in some]
    counts = Counter(chain.from_iterable(words))
    usual = float(np.median([len(one) for one in words])) if words else 0.0
    if usual < FEW_WORDS:
        return "characters", "texts of a word or two"
    letters = sum(len(word) * count for word, count in counts.items())
    unspaced = sum(len(UNSPACED.findall(word)) * count for word, count in counts.items())
    if unspaced > MOSTLY * letters or letters > LONG_WORDS * counts.total():
        return "characters", "no spaces between words"
    running = counts.total() * examples / len(some)
    if running >= PIECES_FROM and importlib.util.find_spec("tokenizers") is not None:
        once = _share_of_rare(texts)
        if once > RARE:
            return "bpe", f"{once:.0%} of the running words occur once"
    return "words", f"{usual:.0f} words in the median text"


def _share_of_rare(texts: Sequence[str]) -> float:
    """Share of the running words that occur once."""
    counts = Counter(chain.from_iterable(split_text(text.lower(), "words") for text in texts))
    return sum(count == 1 for count in counts.values()) / max(1, counts.total())


def _fit_pieces(texts: Sequence[str], most: int, least: int) -> Vocabulary:
    tokenizers = need_tokenizers()
    piecer = _bare(tokenizers, tokenizers.models.BPE(unk_token=UNKNOWN), lower=True)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=most - 1, min_frequency=least, special_tokens=[UNKNOWN], show_progress=False
    )
    piecer.train_from_iterator((unicodedata.normalize("NFC", text) for text in texts), trainer)
    numbers = piecer.get_vocab()
    merges = merges_of(piecer)
    return Vocabulary(
        unit="bpe", tokens=(PADDING, *sorted(numbers, key=numbers.__getitem__)), merges=merges, lower=True
    )


def merges_of(piecer: Any) -> tuple[tuple[str, str], ...]:
    """The pairs that a trained model joins; older versions write a pair as one text."""
    import json  # noqa: PLC0415

    pairs = json.loads(piecer.to_str())["model"]["merges"]
    return tuple(tuple(pair.split(" ", 1) if isinstance(pair, str) else pair) for pair in pairs)


def _piecer(numbers: dict[str, int], merges: tuple[tuple[str, str], ...], lower: bool) -> Any:
    tokenizers = need_tokenizers()
    return _bare(tokenizers, tokenizers.models.BPE(numbers, list(merges), unk_token=UNKNOWN), lower)


def _bare(tokenizers: Any, model: Any, lower: bool) -> Any:
    """A tokenizer that cuts at spaces and around punctuation before it joins pieces."""
    piecer = tokenizers.Tokenizer(model)
    if lower:
        piecer.normalizer = tokenizers.normalizers.Lowercase()
    pre = tokenizers.pre_tokenizers
    piecer.pre_tokenizer = pre.Sequence([pre.Metaspace(SPACE), pre.Punctuation("isolated")])
    return piecer


def need_tokenizers() -> Any:
    try:
        import tokenizers  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the package tokenizers, which byte-pair encoding needs, got an install without it. "
            "Install recurra[text], or choose the unit words."
        ) from error
    return tokenizers
