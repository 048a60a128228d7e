import importlib.util
import re
import subprocess
import sys

import pytest

from recurra.report import figures

pytest.importorskip("matplotlib", reason="needs the extra [forecast]")


def line():
    with figures.drawing() as drawn:
        drawn.axes.plot([1, 2, 3], color=figures.COLOURS["model"])
        drawn.axes.set_title("A title")
    return drawn.svg


def test_the_same_figure_is_the_same_markup():
    assert line() == line()


def test_text_stays_text():
    assert ">A title</text>" in line()


def test_colours_follow_the_page_and_can_stand_alone():
    svg = line()
    assert "stroke: var(--model, #1f5fa8)" in svg
    bare = re.sub(r"var\(--[a-z]+, #[0-9a-f]{6}\)", "", svg)
    assert not re.search(r"#[0-9a-f]{6}\b(?=[^<]*>)", bare)


def test_every_colour_has_its_variable_in_light_and_in_dark():
    style = importlib.util.find_spec("recurra.report").submodule_search_locations[0] + "/style.css"
    with open(style, encoding="utf-8") as file:
        text = file.read()
    for name, colour in figures.COLOURS.items():
        assert len(re.findall(rf"--{name}: #[0-9a-f]{{6}};", text)) == 2
        assert f"--{name}: {colour};" in text


def light(colour):
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("which", [0, 1])
def test_texts_and_lines_stand_out_from_the_paper(which):
    folder = importlib.util.find_spec("recurra.report").submodule_search_locations[0]
    with open(folder + "/style.css", encoding="utf-8") as file:
        text = file.read()
    found = {name: values for name, *values in _variables(text)}
    paper = light(found["paper"][which])
    for name in (*figures.COLOURS, "good", "bad"):
        if name != "rule":
            ours = light(found[name][which])
            contrast = (max(ours, paper) + 0.05) / (min(ours, paper) + 0.05)
            assert contrast >= 4.5, name


def _variables(text):
    names = dict.fromkeys(re.findall(r"--([a-z-]+): #", text))
    return [(name, *re.findall(rf"--{name}: (#[0-9a-f]{{6}});", text)) for name in names]


def test_without_matplotlib_a_sentence_says_so(monkeypatch):
    assert figures.missing() is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert figures.missing() == (
        "The report will have no figures because matplotlib is not installed. "
        "Install it with: pip install 'recurra[all]'."
    )


def test_reports_load_matplotlib_and_statsforecast_only_when_they_draw_and_fit():
    code = (
        "import sys, recurra.tasks.forecast.report, recurra.tasks.forecast.evaluate;"
        "print([m for m in ('matplotlib', 'statsforecast') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
