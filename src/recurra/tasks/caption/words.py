"""What captions are cut into to be judged: words in lower case, without punctuation.

As the evaluation of COCO's captions does, which cuts by the rules of the Penn Treebank (PTB) and takes away
the signs of punctuation: `A man's T-shirt isn't red.` is `a man 's t-shirt is n't red`. It differs where PTB
knows single words: here `mr.` and `u.s.` lose their full stops and `cannot` and `gonna` stay whole. All other
signs go, too, of which PTB keeps `&`, `%`, `$`, `#`, and brackets as `-lrb-`. Beyond English: every letter
with its marks, and a word for each character of scripts without spaces, such as Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from recurra.data.vocabulary import UNSPACED

# English endings that are words of their own.
ENDINGS = r"n't\b|'(?:s|re|ve|ll|d|m)\b"
# What joins parts of a word, and figures of a number.
JOINTS = rf"(?!{ENDINGS})['-]|(?<=\d)[.,:/](?=\d)"
# Endings stand behind a word.
ENDING = re.compile(rf"(?<=\w)({ENDINGS})")
PLAIN = re.compile(rf"{ENDINGS}|[a-z0-9]+(?:(?:{JOINTS})[a-z0-9]+)*")
# The planes of Unicode that have marks: accents, signs of vowels. Two more join letters, or keep them apart.
FIRST_MARK, LAST_MARK = 0x300, 0x1FFFF
JOINERS = "\u200c\u200d"


def words(text: str) -> list[str]:
    """The words of a text."""
    text = unicodedata.normalize("NFC", text.lower().replace("’", "'"))
    if "'" in text:
        text = ENDING.sub(r" \1", text)
    found: list[str] = (PLAIN if text.isascii() else _any_script()).findall(text)
    return found


@cache
def _any_script() -> re.Pattern[str]:
    """What finds words that have other letters than those of ASCII; marks are none to `re`."""
    every = map(chr, range(FIRST_MARK, LAST_MARK + 1))
    mark = f"[{JOINERS}{''.join(one for one in every if unicodedata.category(one)[0] == 'M')}]"
    alone = rf"(?=[^\W_]){UNSPACED.pattern}{mark}*"
    part = rf"(?:[^\W_{UNSPACED.pattern[1:-1]}]|{mark})+"
    return re.compile(rf"{ENDINGS}|{alone}|{part}(?:(?:{JOINTS}){part})*")
