"""Tokens of a text that comes in pieces: what is certain of it by now, as if it were a file."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data import pending
from recurra.data.documents import ENDS, SPACES, WHITE_LINE, Borders, Documents
from recurra.data.frequency import Array
from recurra.data.pieces import runs
from recurra.data.tokens import LONGEST_WORD, SPACED_WORD, Tokens
from recurra.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

# Bytes of a character that may be unfinished in UTF-8, and before them how many there are.
BEGUN = 3
# Where in "place" it says: ends of lines in a row at the end, anything else before them, anything at all.
RUN, CONTENT, ANY = range(3)


class Growing:
    """Makes numbers of text in pieces. It holds no text: what it must know of it lies in arrays.

    pending  (…,) uint8, text that may still change
    place    (3,) uint8, where in a document the text stands
    begun    (4,) uint8, of bytes: those of a character that is not whole yet, which are tokens already
    """

    def __init__(self, tokens: Tokens, documents: Documents) -> None:
        self._tokens, self._documents = tokens, documents
        self._raw = tokens.unit == "bytes"

    def fresh(self) -> dict[str, Tensor]:
        """Of a text without a character."""
        import torch  # noqa: PLC0415, so that reading files need not wait for it

        found = {"pending": pending.fresh(), "place": torch.zeros(3, dtype=torch.uint8)}
        return found | ({"begun": torch.zeros(1 + BEGUN, dtype=torch.uint8)} if self._raw else {})

    def checked(self, observation: Any) -> str:
        """A piece of text; of bytes, each as the character of its number. Raises DataError."""
        if not self._raw:
            return pending.checked_text(observation)
        if isinstance(observation, str):
            return pending.checked_text(observation).encode().decode("latin-1")
        if isinstance(observation, bytes | bytearray | memoryview):
            return bytes(observation).decode("latin-1")
        sound = isinstance(observation, list) and all(
            isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= 255 for one in observation
        )
        if not sound:
            raise DataError(
                f"expected text, bytes, or a list of numbers from 0 to 255, got {type(observation).__name__}"
                f"{' with others' if isinstance(observation, list) else ''}. Give one of these."
            )
        return bytes(observation).decode("latin-1")

    def read(self, state: Mapping[str, Array], piece: str) -> tuple[list[str], Array]:
        """What stands in the text for each token that is certain now, and their numbers, BORDERs among them.

        piece: as `checked` gives it. The arrays change in place. Raises DataError where more is unfinished
        than there is room for; they are as they were.
        """
        place = state["place"]
        text, waiting = self._laid(pending.taken(state["pending"]) + piece, place)
        pieces, numbers, rest = self._certain(text)
        kept = pending.packed(rest + waiting, "words and white space")
        borders = Borders(self._documents, self._tokens.newline)
        borders.resume(int(place[RUN]), bool(place[CONTENT]))
        with_borders = borders.put(numbers)
        pending.put(state["pending"], kept)
        place[[RUN, CONTENT]] = borders.reached
        place[ANY] |= len(numbers) > 0
        return self._decoded(state["begun"], text) if self._raw else pieces, with_borders

    def ended(self, state: Mapping[str, Array]) -> bool:
        """Whether a document has ended, so that what follows begins another."""
        many = ENDS.get(self._documents, 0)
        return bool(state["place"][CONTENT]) and 0 < many <= int(state["place"][RUN])

    def _laid(self, text: str, place: Array) -> tuple[str, str]:
        """The text as a file's is read, and its end, which may be part of a line's end or a blank line."""
        size = len(text)
        if not self._raw:
            size -= text.endswith("\r")
            text, waiting = text[:size].replace("\r\n", "\n"), text[size:]
        else:
            waiting = ""
        if self._documents == "file":
            return text, waiting
        begins = not place[ANY] or place[RUN] > 0
        text = WHITE_LINE.sub("\n", ("\n" if begins else " ") + text)[1:]
        solid = text.rstrip(SPACES)
        if solid.endswith("\n") or (begins and not solid):
            return solid, text[len(solid) :] + waiting
        return text, waiting

    def _certain(self, text: str) -> tuple[list[str], Array, str]:
        """The pieces and numbers of the tokens that are certain, and the rest of the text."""
        tokens = self._tokens
        if self._raw:
            return [], tokens.encode(text.encode("latin-1")), ""
        if tokens.unit == "characters":
            return list(text), tokens.encode(text), ""
        found = SPACED_WORD.findall(text) if tokens.unit == "words" else runs(text)
        if found and self._may_go_on(text, found):
            found.pop()
        whole = "".join(found)
        numbers = tokens.encode(whole)
        return found if tokens.unit == "words" else tokens.pieces(numbers), numbers, text[len(whole) :]

    def _may_go_on(self, text: str, found: list[str]) -> bool:
        """Whether what follows may belong to the last word, or run of pieces."""
        if found[-1].endswith("\n"):
            return False
        word = found[-1].lstrip()
        return self._tokens.unit == "bpe" or (not text[-1].isspace() and len(word) < LONGEST_WORD)

    @staticmethod
    def _decoded(begun: Array, text: str) -> list[str]:
        """What each byte adds to the text: nothing, until its character is whole."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.setstate((begun[1 : 1 + begun[0]].tobytes(), 0))
        pieces = [decoder.decode(byte.encode("latin-1")) for byte in text]
        rest, _ = decoder.getstate()
        begun[0] = len(rest)
        begun[1 : 1 + len(rest)] = np.frombuffer(rest, dtype=np.uint8)
        return pieces
