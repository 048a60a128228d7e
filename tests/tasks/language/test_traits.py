"""What can be said of each place in a text."""

import numpy as np
import pytest

from recurra.tasks.language.traits import FURTHEST, traits


def said(pieces, name):
    """A trait after each piece, as a text of digits."""
    values = {one.name: one.values for one in traits(pieces)}[name]
    assert len(values) == len(pieces)
    return "".join(f"{int(value)}" for value in values)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("inside quotes", 'a "bc" d', "00111000"),
        ("inside quotes", "“a” «b» ``c''", "1100110001110"),
        ("inside ( )", "a (b(c)d) e)", "001111110000"),
        ("inside ( )", "no end (", "00000000"),
        ("inside [ ]", "[a]", "110"),
        ("inside { }", "{}", "10"),
        ("inside < >", "a <b> 1 < 2\n> ", "00110000000000"),
        ("words in capitals", "AB CD: Ef GH", "111110000011"),
        ("place in the line", "ab\nc", "1201"),
        ("first word of a line", "ab c\n d e", "110001100"),
        ("indentation of the line", "a\n  b\n\tc", "00122211"),
        ("place in the sentence", "Ab. Cd", "123012"),
        ("letters of the word so far", "ab cd\ne", "1201201"),
        ("capital letter", "aBÉ", "011"),
        ("digit", "a1", "01"),
    ],
)
def test_each_character_has_its_traits(name, text, expected):
    assert said(list(text), name) == expected


def test_a_quote_ends_with_its_paragraph_and_in_long_ones_with_its_line():
    assert said(list('a "b\n\nc "d" e'), "inside quotes") == "0" * 8 + "11000"
    line = "x" * 80 + "\n"
    text = 'one "alone\n' + line * (FURTHEST // 80) + '"two" words\n'
    inside = said(list(text), "inside quotes")
    assert inside.count("1") == len('"two')
    assert text[inside.index("1") :].startswith('"two"')


def test_a_bracket_that_is_closed_too_late_is_none():
    far = ["(", *"x" * FURTHEST, ")"]
    assert "1" not in said(far, "inside ( )")
    assert said([*far[: FURTHEST - 1], ")"], "inside ( )").count("1") == FURTHEST - 1


def test_pieces_of_several_characters_have_the_traits_of_their_end():
    pieces = ['"Be', " not", '"', "\n", "A1", "", "bc"]
    assert said(pieces, "inside quotes") == "1100000"
    assert said(pieces, "capital letter") == "1000100"
    assert said(pieces, "digit") == "0000100"
    assert said(pieces, "place in the line") == "3780224"
    assert said(pieces, "letters of the word so far") == "3340224"


def test_no_text_has_no_traits():
    assert all(np.array_equal(one.values, [0, 0]) for one in traits(["", ""]))
    assert traits(["a\n"])[0].values.shape == (1,)
