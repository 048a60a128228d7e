"""Texts as what errors are counted in: words, and characters or phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recurra.data.vocabulary import MOSTLY, UNSPACED
from recurra.tasks.transcribe.phones import BETWEEN, Pronounced

if TYPE_CHECKING:
    from recurra.tasks.base import Transcript
    from recurra.tasks.transcribe.schema import Schema


@dataclass(frozen=True, slots=True)
class Cut:
    """Texts (N) as they are shown, their words, and their characters, spaces among them, or phones."""

    texts: list[str]
    words: list[list[str]]
    pieces: list[list[str]]


class Cutter:
    """Cuts texts the same way, those that were said and those that were heard.

    Words are as they are; white space of any kind and length parts them. Phones are those of the words, each
    said the usual way. Where a model writes phones, a word is the first of the dictionary that is said so,
    and one that it does not have stands between slashes.
    """

    def __init__(self, schema: Schema) -> None:
        self._phones = schema.phones
        # A search with a dictionary writes words, any other one phones.
        language = schema.language
        self.writes_phones = schema.phones is not None and (language is None or language.kind != "words")
        self._pronounced = Pronounced(schema.phones or {})
        self._word: dict[str, str] = {}
        for word, ways in (schema.phones or {}).items():
            for way in ways:
                self._word.setdefault(way, word)

    @property
    def piece(self) -> Literal["character", "phone"]:
        """What words are made of."""
        return "character" if self._phones is None else "phone"

    def said(self, texts: Sequence[str]) -> Cut:
        """References, or other texts that are made of words."""
        words = [text.split() for text in texts]
        shown = [" ".join(of) for of in words]
        if self._phones is None:
            return Cut(shown, words, [list(text) for text in shown])
        return Cut(shown, words, [phones_of(self._pronounced.spell(text)) for text in shown])

    def heard(self, transcripts: Sequence[Transcript]) -> Cut:
        """What the model wrote."""
        if not self.writes_phones:
            return self.said([one.text for one in transcripts])
        words = [[self.word(word.text) for word in one.words] for one in transcripts]
        pieces = [[phone for word in one.words for phone in phones_of(word.text)] for one in transcripts]
        return Cut([" ".join(of) for of in words], words, pieces)

    def word(self, way: str) -> str:
        """The word that is said so, as a model writes it."""
        if not self.writes_phones:
            return way
        return self._word.get(way, f"/{way}/")


def phones_of(text: str) -> list[str]:
    """Phones of a text, without what stands between words."""
    return [phone for phone in text.split() if phone != BETWEEN]


def leading(texts: Sequence[str], cutter: Cutter) -> str:
    """The metric that methods are compared by, for references like these."""
    if cutter.writes_phones:
        return "per"
    letters = sum(map(len, texts))
    if sum(len(UNSPACED.findall(text)) for text in texts) > MOSTLY * letters:
        return "cer"
    return "words" if all(len(text.split()) == 1 for text in texts) else "wer"
