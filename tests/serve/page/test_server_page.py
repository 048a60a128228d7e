"""The page in a real Chromium, beside a real server: what is shown is what the bundles themselves say."""

from __future__ import annotations

import csv
import io
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from browser import NAME, Browser, Server, serving
from samples import passengers, plays, sentences, shops, visits, walks
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import recurra

Bundles = dict[str, Path]
ALL = ("passengers", "shops", "names", "walks", "visits", "plays", "sentences", "tones")


def go(page: Browser, bundle: str, tab: str) -> None:
    """Choose a bundle and a tab with the mouse."""
    page.see(f"a[data-name={bundle}]").click()
    page.see("h1", bundle)
    page.see("[role=tab]", tab).click()


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# What is served.


def test_each_bundle_and_how_good_it_is(page: Browser, bundles: Bundles) -> None:
    for name in ALL:
        page.see(f"a[data-name={name}]").click()
        page.see("h1", name)
        record = recurra.load(bundles[name]).record
        about = page.see(".about")
        assert record["words"][0] in about.text
        assert "What it expects" in about.text
        methods = [one.text for one in about.find_elements(By.CSS_SELECTOR, ".ladder .name")]
        assert methods[0] == "Recurra"
        assert len(methods) > 1
        about.find_element(By.XPATH, ".//summary[text()='All scores']").click()
        for score in record["scores"]:
            assert score["method"] in page.see(".about table").text


def test_the_address_leads_to_a_bundle_and_a_tab(page: Browser, server: Server) -> None:
    page.open(server.url + "#plays/write")
    page.see("h1", "plays")
    assert page.see("[role=tab][aria-selected=true]").text == "Write"


# Whole answers.


def test_a_forecast_of_pasted_rows(page: Browser, bundles: Bundles) -> None:
    go(page, "passengers", "Predict")
    page.paste(passengers(), "Rows, or a file")
    page.press("Predict")
    caption = page.see(".result figcaption", "The next 6 steps")
    found = recurra.load(bundles["passengers"]).predict(frame(passengers()))
    low, high = found["forecast"].min(), found["forecast"].max()
    assert f"median {short(low)} to {short(high)}" in caption.text
    assert page.see(".result svg[role=img]").get_attribute("aria-describedby") == caption.get_attribute("id")
    page.press("Save as CSV")
    saved = page.downloads / "passengers-forecast.csv"
    page.wait(saved.exists)
    rows = list(csv.DictReader(io.StringIO(saved.read_text())))
    assert [float(row["forecast"]) for row in rows] == found["forecast"].to_list()


def frame(text: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(text), try_parse_dates=False)


def short(value: object) -> str:
    """As the page writes numbers."""
    x = float(str(value))
    return f"{x:,.0f}" if x >= 10_000 else f"{float(f'{x:.4g}'):,}".removesuffix(".0")


@pytest.mark.slow
def test_a_file_of_several_series(page: Browser, tmp_path: Path) -> None:
    go(page, "shops", "Predict")
    file = tmp_path / "later.csv"
    file.write_text(shops())
    page.driver.find_element(By.CSS_SELECTOR, "section:not([hidden]) input[type=file]").send_keys(str(file))
    page.press("Predict")
    page.see(".result figcaption", "north")
    Select(page.field("Series")).select_by_visible_text("south")
    page.see(".result figcaption", "south")


@pytest.mark.slow
def test_a_file_is_dropped_and_taken_away(page: Browser) -> None:
    go(page, "names", "Predict")
    drop = """
    const files = new DataTransfer();
    files.items.add(new File([arguments[1]], arguments[2]));
    const event = new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true});
    arguments[0].dispatchEvent(event);
    """
    box = page.see(".given")
    page.script(drop, box, "name\nTanaka\n", "few.csv")
    page.wait(lambda: page.field("Rows, or a file").get_attribute("value") == "name\nTanaka\n")
    page.script(drop, box, "name\n" + "Tanaka\n" * 50_000, "many.csv")
    assert "many.csv, 342 KiB" in page.see(".chip").text
    page.press("Predict")
    page.see(".result caption", "50,000 answers")
    page.press("Take it away")
    assert page.see(".given textarea").get_attribute("value") == "name\nTanaka\n"


def test_classes_by_keyboard_alone(page: Browser, bundles: Bundles, server: Server) -> None:
    page.open(server.url + "#names/predict")
    page.see("h1", "names")
    page.tab_to("Rows, or a file")
    texts = ["Schneider", "Tanaka", "Nasser"]
    page.keys(*Keys.ENTER.join(texts), Keys.CONTROL + Keys.ENTER)
    said = recurra.load(bundles["names"]).predict(pl.DataFrame({"name": texts}))
    first = page.see(".result .answer")
    assert first.text == f"Schneider: {said['class'][0]}"
    shown = [row.text.split()[:2] for row in page.all(".result tbody tr")]
    assert shown == [[text, name] for text, name in zip(texts, said["class"], strict=True)]
    page.tab_to("Nasser")
    page.keys(Keys.ENTER)
    page.wait(lambda: page.see(".result .answer").text == f"Nasser: {said['class'][2]}")
    top = page.all(".result .bars .chosen")[0].text
    assert percent(said["probability"][2]) in top


@pytest.mark.slow
def test_evaluate(page: Browser, bundles: Bundles, tmp_path: Path) -> None:
    go(page, "walks", "Predict")
    page.paste(walks(), "Rows, or a file")
    page.press("Evaluate")
    (tmp_path / "walks.csv").write_text(walks())
    words = recurra.load(bundles["walks"]).evaluate(tmp_path / "walks.csv").words
    page.see(".result p", words[0])


@pytest.mark.slow
def test_odd_lines_of_a_text(page: Browser) -> None:
    go(page, "plays", "Score a text")
    page.paste(plays()[:600] + "\n%%% §§ 0x00 ###\n", "A text")
    page.press("Score")
    page.see(".result mark.s4")
    assert "%%%" in page.see(".result table tbody tr").text


# Streams.


def test_a_forecast_that_moves_by_keyboard_alone(page: Browser, bundles: Bundles, server: Server) -> None:
    page.open(server.url + "#passengers/live")
    page.see("h1", "passengers")
    page.paste(passengers(), "Rows, with a header of names")
    page.tab_to("Speed")
    page.keys("as fast")
    page.tab_back_to("Play")
    page.keys(Keys.SPACE)
    page.see(".progress", "Row 144 of 144")
    page.see("summary", "The forecast as a table").click()
    said = recurra.load(bundles["passengers"]).predict(frame(passengers()))
    cells = page.see(".view table tbody tr").text.split()
    assert cells[0] == str(said.row(0)[1])
    assert float(cells[1]) == pytest.approx(said["forecast"][0], abs=0.05)
    assert page.driver.find_elements(By.CSS_SELECTOR, ".view path.band.inner")


def test_classes_while_a_text_is_written(page: Browser, bundles: Bundles) -> None:
    go(page, "names", "As you write")
    field = page.field("Text, as you write it")
    bundle = recurra.load(bundles["names"])
    for written, typed in (("Schm", "Schm"), ("Schmidt", "idt"), ("Schmi", Keys.BACKSPACE * 2)):
        field.send_keys(typed)
        said = bundle.predict(pl.DataFrame({"name": [written]})).row(0, named=True)
        sentence = f"After {len(written)} characters: {said['class']} {percent(said['probability'])}"
        page.see(".view figcaption", sentence)
    # What moves is read out, but not with every letter.
    status = page.driver.find_element(By.CSS_SELECTOR, "section:not([hidden]) p.unseen[role=status]")
    page.wait(lambda: sentence in str(status.get_attribute("textContent")))


@pytest.mark.slow
def test_numbers_and_events_of_classifiers(page: Browser, bundles: Bundles) -> None:
    for name, text, label in (
        ("walks", walks(2), "Rows, with a header of names"),
        ("visits", visits(2), "Events, one a line"),
    ):
        go(page, name, "Live" if name == "walks" else "Event by event")
        page.paste(text, label)
        Select(page.field("Speed")).select_by_value("0")
        page.press("Play")
        many = text.count("\n") - 1
        page.see(".progress", f"Row {many} of {many}")
        said = recurra.load(bundles[name]).predict(frame(text))
        assert page.see(".view .answer").text == f"{said['class'][1]} {percent(said['probability'][1])}"


@pytest.mark.slow
def test_starting_over(page: Browser, server: Server) -> None:
    go(page, "names", "As you write")
    page.field("Text, as you write it").send_keys("Schmidt")
    page.see(".view figcaption", "After 7 characters")
    page.press("Start over")
    page.wait(lambda: not page.all(".view"))
    assert page.field("Text, as you write it").get_attribute("value") == ""
    page.field("Text, as you write it").send_keys("Ta")
    page.see(".view figcaption", "After 2 characters")


@pytest.mark.slow
def test_a_typed_row(page: Browser) -> None:
    go(page, "walks", "Live")
    page.field("x").send_keys("0.5", Keys.ENTER)
    page.see(".steps", "1 observation")
    page.field("x").send_keys("half", Keys.ENTER)
    assert "'x'" in page.see("fieldset .problem").text
    assert page.field("x").get_attribute("aria-invalid") == "true"


def test_surprise_and_what_comes_next(page: Browser, bundles: Bundles, tmp_path: Path) -> None:
    go(page, "plays", "As you write")
    text = "ROMEO:\nWhat light"
    page.field("Text, as you write it").send_keys(text)
    page.see(".view .answer", f"{len(text)} tokens")
    assert page.see(".view .read").text.replace("↵", "") == text
    (likeliest, *_) = page.all(".bars button")
    likeliest.click()
    page.see(".view .answer", f"{len(text) + 1} tokens")


def test_writing_as_it_is_written(page: Browser, bundles: Bundles) -> None:
    go(page, "plays", "Write")
    page.field("It goes on from").send_keys("ROMEO:")
    for label, value in (("Tokens", "60"), ("Temperature", "0.5"), ("Top-p", "0.9"), ("Seed", "7")):
        page.field(label).clear()
        page.field(label).send_keys(value)
    page.press("Write")
    page.see(".progress", "60 tokens")
    written = "".join(
        recurra.load(bundles["plays"]).generate("ROMEO:", 60, temperature=0.5, top_p=0.9, seed=7)
    )
    shown = page.driver.find_element(By.CSS_SELECTOR, ".written").get_attribute("textContent")
    assert shown == "ROMEO:" + written


@pytest.mark.slow
def test_writing_is_stopped(page: Browser) -> None:
    go(page, "plays", "Write")
    page.field("Tokens").clear()
    page.field("Tokens").send_keys("10000")
    with page.slowly():
        page.press("Write")
        page.wait(lambda: len(page.see(".written").text) > 20)
        page.keys(Keys.ESCAPE)
        page.see(".progress", "Stopped.")
    page.see("button.first", "Write")


# Translations.


def origins(page: Browser) -> tuple[list[str], list[str]]:
    """Marked words of the sources, and of the translations."""
    marked = [(one.tag_name, one.text) for one in page.all(".word.marked")]
    return [text for tag, text in marked if tag == "span"], [text for tag, text in marked if tag == "button"]


def test_a_translation_and_where_its_words_come_from(page: Browser, bundles: Bundles, server: Server) -> None:
    page.open(server.url + "#sentences/predict")
    page.see("h1", "sentences")
    page.tab_to("Texts, or a file")
    texts = ["zwei hund sieht", "", "maus rot"]
    page.keys(*Keys.ENTER.join(texts), Keys.CONTROL + Keys.ENTER)
    said = [one[0] for one in recurra.load(bundles["sentences"]).translate(texts)]
    assert said[0].text
    page.see(".result .pair")
    shown = [
        # What is said to screen readers alone stands in a line of its own.
        [line.text.splitlines()[-1] for line in pair.find_elements(By.TAG_NAME, "p")]
        for pair in page.all(".pair")
    ]
    assert shown == [
        [text or "(nothing)", one.text or "(nothing)"] for text, one in zip(texts, said, strict=True)
    ]
    words, source = said[0].text.split(), texts[0].split()
    from_which = {target: source[a] for a, target in said[0].alignment}
    page.tab_to(f"{words[0]}, from {from_which[0]}")
    assert origins(page) == ([from_which[0]], [words[0]])
    page.keys(Keys.END)
    assert origins(page) == ([from_which[len(words) - 1]], [words[-1]])
    page.keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert origins(page) == ([from_which[1]], [words[1]])
    page.keys(Keys.TAB)  # the whole translation is one stop
    assert page.script(NAME, page.driver.switch_to.active_element) != f"{words[2]}, from {from_which[2]}"
    assert origins(page)[1] != [words[1]]
    ActionChains(page.driver).move_to_element(page.all(".pair button.word")[0]).perform()
    page.wait(lambda: from_which[0] in origins(page)[0])


def test_one_translation_has_a_table_of_its_words(page: Browser) -> None:
    go(page, "sentences", "Translate")
    page.paste("zwei hund sieht", "Texts, or a file")
    page.press("Translate")
    page.see("summary", "Which word comes from which").click()
    assert page.see(".result table tbody tr").text
    page.press("Save as CSV")
    saved = page.downloads / "sentences-translations.csv"
    page.wait(saved.exists)
    assert saved.read_text().startswith("source,translation,score,alignment\n")


@pytest.mark.slow
def test_pairs_are_judged(page: Browser, bundles: Bundles, tmp_path: Path) -> None:
    go(page, "sentences", "Translate")
    page.paste(sentences(40), "Texts, or a file")
    page.press("Evaluate")
    (tmp_path / "pairs.tsv").write_text(sentences(40))
    words = recurra.load(bundles["sentences"]).evaluate(tmp_path / "pairs.tsv").words
    page.see(".result p", words[0])


def test_lines_are_translated_as_they_end(page: Browser, bundles: Bundles) -> None:
    go(page, "sentences", "As you write")
    field = page.field("Text, as you write it")
    field.send_keys("zwei hund")
    page.see(".view .hint", "The last line is translated when it ends")
    assert not page.all(".pair")
    field.send_keys(Keys.ENTER, "maus", Keys.ENTER)
    page.wait(lambda: len(page.all(".pair")) == 2)
    said = [one[0].text for one in recurra.load(bundles["sentences"]).translate(["zwei hund", "maus"])]
    assert [one.text.splitlines()[-1] for one in page.all(".pair .to")] == [
        text or "(nothing)" for text in said
    ]
    status = page.driver.find_element(By.CSS_SELECTOR, "section:not([hidden]) p.unseen[role=status]")
    page.wait(lambda: "maus becomes " in str(status.get_attribute("textContent")))
    field.send_keys(Keys.BACKSPACE * 5)  # what was changed is read anew
    page.wait(lambda: len(page.all(".pair")) == 1)


# What goes wrong.


@pytest.mark.slow
def test_what_the_server_says_stands_beside_its_cause(page: Browser) -> None:
    go(page, "passengers", "Predict")
    page.press("Predict")
    assert page.see(".problem").text == "There is nothing to send yet. Paste something, or choose a file."
    page.paste("month,passengers\n1949-01,112\n1949-02,many\n", "Rows, or a file")
    page.press("Predict")
    problem = page.see(".problem", "'many'")
    assert problem.get_attribute("role") == "alert"
    assert page.field("Rows, or a file").get_attribute("aria-errormessage") == problem.get_attribute("id")
    # The browser itself notes every answer that is not 200.
    said, _ = page.logs()
    assert all("422" in line for line in said)
    go(page, "passengers", "Live")
    page.paste("month,passengers\n1949-01,112\n1949-02,many\n1949-03,118\n", "Rows, with a header of names")
    for _ in range(2):
        page.press("One row")
    assert "got 'many'" in page.see(".problem", "Row 2: ").text
    page.press("Leave this row out")
    page.see(".progress", "Row 2 of 3")


@pytest.mark.slow
def test_a_lost_connection_comes_back(chromium: Browser, bundles: Bundles, tmp_path: Path) -> None:
    some = {"names": bundles["names"]}
    server = Server(some, "--states", str(tmp_path))
    try:
        chromium.open(server.url + "#names/live")
        field = chromium.field("Text, as you write it")
        field.send_keys("Schm")
        chromium.see(".view figcaption", "After 4 characters")
        server.stop(signal.SIGTERM)
        chromium.see(".connection", "Trying again")
        field.send_keys("idt")
        server = Server(some, "--states", str(tmp_path), port=server.port)
        chromium.see(".view figcaption", "After 7 characters")
        chromium.see(".connection", "Connected.")
        chromium.logs()
    finally:
        server.stop()


@pytest.fixture
def guarded(bundles: Bundles, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    token = "a-token-for-the-tests"
    (tmp_path / "token").write_text(token)
    with serving({"names": bundles["names"]}, "--token-file", str(tmp_path / "token")) as server:
        yield server, token


def test_the_token_is_asked_for_and_kept_in_memory(chromium: Browser, guarded: tuple[Server, str]) -> None:
    server, token = guarded
    chromium.open(server.url + "#names/live")
    chromium.see("dialog", "asks for a token")
    chromium.keys("not-the-right-token", Keys.ENTER)
    chromium.wait(lambda: chromium.field("Token").get_attribute("value") == "")
    chromium.field("Token").send_keys(token, Keys.ENTER)
    chromium.see("h1", "names")
    chromium.field("Text, as you write it").send_keys("Schmidt")
    chromium.see(".view figcaption", "After 7 characters")
    kept = "return [localStorage.length, sessionStorage.length, document.cookie, location.href]"
    assert chromium.script(kept) == [0, 0, "", server.url + "#names/live"]
    _, asked = chromium.logs()
    assert all(token not in url for url in asked)


# Manners.


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1600, True)], ids=["360-light", "1600-dark"])
def test_it_can_be_read(page: Browser, server: Server, width: int, dark: bool) -> None:
    """Nothing sticks out, every control has a name, every text has contrast."""
    for name in ALL:
        page.open(f"{server.url}#{name}", width=width, dark=dark)
        for tab in range(len(page.wait(lambda: page.all("[role=tab]")))):
            page.all("[role=tab]")[tab].click()
            assert page.script("return document.documentElement.scrollWidth <= innerWidth"), (name, tab)
            for one in page.all("button, input, select, textarea, summary, a"):
                assert page.script(NAME, one), one.get_attribute("outerHTML")
            assert page.script(FAINT) == []
            assert "[object" not in page.script("return document.body.textContent")


@pytest.mark.slow
def test_tab_order_follows_the_page(page: Browser, server: Server) -> None:
    page.open(server.url + "#plays/write")
    page.see("h1", "plays")
    names = []
    while not names or names[-1] != "Write" or names.count("Write") < 2:
        page.keys(Keys.TAB)
        names.append(page.script(NAME, page.driver.switch_to.active_element))
        assert page.script("return getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert len(names) < 30, names
    assert names[0] == "Skip to the model"
    assert names[-7:] == ["Write", "It goes on from", "Tokens", "Temperature", "Top-p", "Seed", "Write"]
    page.driver.find_element(By.CSS_SELECTOR, "[role=tab][aria-selected=true]").send_keys(Keys.ARROW_RIGHT)
    assert page.see("[role=tab][aria-selected=true]").text == "Score a text"


def test_nothing_but_the_server_is_allowed(server: Server) -> None:
    with urllib.request.urlopen(server.url) as answer:
        policy, html = answer.headers["content-security-policy"], answer.read().decode()
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "style=" not in html
    assert "<style" not in html
    assert "http" not in html.replace("over HTTP", "")


# Texts whose contrast with what is behind them is below 4.5 (3 for large ones), or that are not placeholders.
FAINT = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
function behind(it) {
  for (; it; it = it.parentElement) {
    const [r, g, b, a = 1] = parts(getComputedStyle(it).backgroundColor);
    if (a > 0) return [r, g, b];
  }
  return [255, 255, 255];
}
const faint = [];
for (const it of document.querySelectorAll("body *")) {
  const own = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !it.checkVisibility() || it.closest("svg, noscript, :disabled, .unseen")) continue;
  const style = getComputedStyle(it);
  const [a, b] = [light(parts(style.color)), light(behind(it))].sort((x, y) => y - x);
  const large = parseFloat(style.fontSize) >= 24;
  if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.push(it.outerHTML.slice(0, 80));
}
return faint;
"""
