import re
from importlib.resources import files

import pytest

from recurra.report.page import SHADES, Page

STYLE = files("recurra.report").joinpath("style.css").read_text(encoding="utf-8")


def luminance(colour):
    """Of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("place", [0, 1], ids=["light", "dark"])
def test_marked_text_can_be_read(place):
    colours = [dict(re.findall(r"--(\w+): (#\w{6});", STYLE[at:end])) for at, end in blocks()][place]
    for side in ("for", "against"):
        for strength in range(1, SHADES + 1):
            lights = sorted(luminance(colours[name]) for name in ("ink", f"{side}{strength}"))
            assert (lights[1] + 0.05) / (lights[0] + 0.05) >= 4.5


def blocks():
    """Where the colours of the light page and of the dark one stand."""
    first = STYLE.index(":root")
    second = STYLE.index(":root", first + 1)
    return (first, second), (second, STYLE.index("* { box-sizing"))


def test_pieces_are_marked_by_strength_and_escaped():
    page = Page("A page")
    page.marked("Row <2>", [("<b>good</b>", 4), (" & ", 0), ("bad", -2), ("much", 9)], "told & done")
    html = page.html()
    assert (
        '<figcaption>Row &lt;2&gt;</figcaption><p><mark class="for4">&lt;b&gt;good&lt;/b&gt;</mark> &amp; '
        '<mark class="against2">bad</mark><mark class="for4">much</mark></p>'
        '<p class="told">told &amp; done</p>'
    ) in html


def test_cells_are_shaded():
    page = Page("A page")
    page.table(("Class", "a", "b"), [("a", "3", "1")], shades={(0, 1): 3, (0, 2): -1})
    html = page.html()
    assert '<table class="tight">' in html
    assert '<td class="for3">3</td><td class="against1">1</td>' in html


def test_marked_pieces_can_have_hints():
    page = Page("A page")
    page.marked("Row", [("a", 1), ("b", 0), ("c", 2)], hints=['1 "bit"', "nothing", ""])
    assert '<mark class="for1" title="1 &quot;bit&quot;">a</mark>b<mark class="for2">c</mark>' in page.html()
    with pytest.raises(ValueError, match="shorter"):
        page.marked("Row", [("a", 1), ("b", 0)], hints=["one"])
