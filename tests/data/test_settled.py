"""What is certain of a text that goes on: with what follows, whatever it is, the tokens are the text's."""

import numpy as np
import pytest

from recurra.data.settled import settled
from recurra.data.vocabulary import fit_vocabulary

# Letters and marks that join them, syllables of Hangul and vowels of Indian scripts, sigmas and what they
# look beyond, signs, and what cuts words.
CHARACTERS = list(
    "abcAΣσςéEe\u0301\u0323\u0308\u0344 .,'’-:\n\t_1<=\u0338İß가ᄀ\u1161\u11a8\u0f73你。,▁  "
    "ѐк\u2000\u1175\u00ad\u09c7\u09be\u0cc6\u0cc2\u0cd5\u0dd9\u0dcf\u0dca\U000110a5\U000110ba "
)


@pytest.mark.parametrize("unit", ["characters", "words", "bpe"])
@pytest.mark.parametrize("lower", [False, True])
def test_a_text_in_pieces_has_the_tokens_of_the_text(unit, lower):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(CHARACTERS, 20)) for _ in range(300)]
    vocabulary = fit_vocabulary(texts, unit, 400, 1).model_copy(update={"lower": lower})
    waited = []
    for _ in range(2000):
        text = "".join(rng.choice(CHARACTERS, rng.integers(0, 25)))
        at, waiting, certain = 0, "", []
        while at < len(text):
            many = int(rng.integers(0, 4))
            waiting += text[at : at + many]
            at += many
            size = settled(waiting, unit, lower)
            certain += vocabulary._tokens_of(waiting[:size]) if size else []
            waiting = waiting[size:]
            waited.append(len(waiting))
            rest = vocabulary._tokens_of(waiting) if waiting else []
            assert [*certain, *rest] == vocabulary._tokens_of(text[:at])
    assert np.mean(waited) < {"characters": 3, "words": 4, "bpe": 8}[unit]


def test_what_waits():
    for unit, text, rest in (
        ("characters", "abc", "c"),
        ("characters", "ab1 你", ""),
        ("words", "good fil", "fil"),
        ("words", "good film ", ""),
        ("words", "good,", ""),
        ("words", "don'", "don'"),
        ("bpe", "good fil", " fil"),
        ("bpe", "good ", " "),
    ):
        assert text[settled(text, unit, unit != "characters") :] == rest
