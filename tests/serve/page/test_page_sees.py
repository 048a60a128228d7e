"""The page shows pictures, what a captioner says of them, and where each word looked."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, Server, serving
from painted import features_bundle, file_of, paint, shapes_bundle, shown
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from recurra.bundle import Bundle
from recurra.tasks.base import Caption

STATUS = "section:not([hidden]) p.unseen[role=status]"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return shapes_bundle(tmp_path_factory.mktemp("seen") / "shapes")


@pytest.fixture(scope="module")
def shapes(bundle: Bundle) -> Iterator[Server]:
    with serving({"shapes": bundle.path}) as process:
        yield process


@pytest.fixture
def looking(chromium: Browser, shapes: Server) -> Iterator[Browser]:
    """The page as it opens, without motion."""
    chromium.open(shapes.url)
    still(chromium, True)
    chromium.see("h1", "shapes")
    yield chromium
    chromium.check(shapes)


def still(page: Browser, wanted: bool) -> None:
    """Ask for less motion, or for none of that."""
    feature = {"name": "prefers-reduced-motion", "value": "reduce" if wanted else "no-preference"}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def files(folder: Path, many: int) -> list[Path]:
    """Pictures, each of something else."""
    found = [folder / f"{number}.png" for number in range(many)]
    for number, path in enumerate(found):
        path.write_bytes(file_of(paint(*shown(number), seed=number)))
    return found


def choose(page: Browser, *paths: Path) -> None:
    box = page.driver.find_element(By.CSS_SELECTOR, "section:not([hidden]) input[type=file]")
    box.send_keys("\n".join(map(str, paths)))


def best(bundle: Bundle, path: Path) -> Caption:
    return bundle.caption([path.read_bytes()])[0][0]


def words(page: Browser) -> list[str]:
    return [one.text for one in page.all(".caption .word")]


# The darkness of the shade in each part of the picture, from 0 to 255.
SHADE = """
const [rows, columns] = arguments;
const shade = document.querySelector(".view .shade");
const context = new OffscreenCanvas(shade.width, shade.height).getContext("2d", {willReadFrequently: true});
context.drawImage(shade, 0, 0);
const at = (x, y) => context.getImageData(x, y, 1, 1).data[3];
return Array.from({length: rows}, (_, r) => Array.from({length: columns}, (_, c) =>
  at((c + 0.5) * shade.width / columns, (r + 0.5) * shade.height / rows)));
"""


def shade(page: Browser, found: Caption) -> Any:
    return np.array(page.script(SHADE, *found.attention.shape[1:]))


def test_a_caption_and_where_its_words_looked_by_keyboard(
    looking: Browser, bundle: Bundle, tmp_path: Path
) -> None:
    page, (path,) = looking, files(tmp_path, 1)
    said = best(bundle, path)
    page.tab_to("Choose pictures …")
    choose(page, path)
    page.see(".caption .word")
    assert words(page) == list(said.words)
    assert page.see(".seen").get_attribute("aria-label") == f"0.png: {said.text}"
    status = page.driver.find_element(By.CSS_SELECTOR, STATUS)
    page.wait(lambda: status.get_attribute("textContent") == f"0.png: {said.text}.")
    assert f"Score {said.score:.4g}" in page.see(".view .hint").text
    assert page.see(".steps").text == "1 picture"
    assert shade(page, said).max() == 0
    first = page.all(".caption .word")[0].get_attribute("aria-label")
    page.tab_to(str(first))
    for number, weights in enumerate(said.attention):
        assert [one.text for one in page.all(".caption .marked")] == [said.words[number]]
        dark = shade(page, said)
        assert np.corrcoef(dark.ravel(), weights.ravel())[0, 1] < -0.9
        assert dark.flat[weights.argmin()] > 120 > dark.flat[weights.argmax()]
        page.keys(Keys.ARROW_RIGHT)
    page.keys(Keys.HOME)
    assert page.driver.switch_to.active_element.get_attribute("aria-label") == first
    page.keys(Keys.ESCAPE)
    assert shade(page, said).max() == 0
    page.see("summary", "Where each word looked, as a table").click()
    rows = [row.text.split()[0] for row in page.all(".view tbody tr")]
    assert rows == list(said.words)


def test_words_come_one_after_another(looking: Browser, bundle: Bundle, tmp_path: Path) -> None:
    page, (path,) = looking, files(tmp_path, 1)
    still(page, False)
    choose(page, path)
    page.see(".caption .word.marked")
    assert page.script("return document.querySelectorAll('.caption .coming').length") > 0
    said = best(bundle, path)
    page.wait(lambda: words(page) == list(said.words), "not all words come")
    page.wait(lambda: not page.all(".seen.shaded"), "the shade stays")
    ActionChains(page.driver).move_to_element(page.all(".caption .word")[1]).perform()
    page.see(".seen.shaded")
    page.wait(lambda: shade(page, said).max() > 150)


def test_several_pictures_one_after_the_other(looking: Browser, bundle: Bundle, tmp_path: Path) -> None:
    page, paths = looking, files(tmp_path, 3)
    choose(page, *paths)
    page.wait(lambda: len(page.all(".before li")) == 3, "not all pictures come")
    said = [best(bundle, path).text for path in paths]
    assert [one.text for one in page.all(".before li")] == said
    assert page.see(".before [aria-current]").text == said[2]
    page.all(".before button")[0].click()
    assert page.see(".seen").get_attribute("aria-label") == f"0.png: {said[0]}"
    assert page.all(".before button")[0].get_attribute("aria-current") == "true"
    page.press("Save as CSV")
    saved = page.downloads / "shapes-captions.csv"
    page.wait(saved.exists)
    rows = list(csv.DictReader(saved.open()))
    assert [(row["picture"], row["caption"]) for row in rows] == [
        (path.name, text) for path, text in zip(paths, said, strict=True)
    ]
    page.press("Start over")
    assert not page.all(".view")


GIVE = """
const [box, what, many] = arguments;
const files = new DataTransfer();
for (const [bytes, name] of many) {
  files.items.add(new File([Uint8Array.from(bytes)], name, {type: "image/png"}));
}
const options = {bubbles: true, cancelable: true};
box.dispatchEvent(what === "drop"
  ? new DragEvent("drop", {dataTransfer: files, ...options})
  : new ClipboardEvent("paste", {clipboardData: files, ...options}));
"""


def test_pictures_are_dropped_and_pasted(looking: Browser, bundle: Bundle, tmp_path: Path) -> None:
    page, paths = looking, files(tmp_path, 2)
    given = [[list(path.read_bytes()), path.name] for path in paths]
    page.script(GIVE, page.see(".picked"), "drop", [[[1, 2, 3], "broken.png"], given[0]])
    page.see(".view .hint", "0.png")
    page.script(GIVE, page.driver.find_element(By.TAG_NAME, "body"), "paste", given[1:])
    page.see(".view .hint", "1.png")
    page.script(GIVE, page.see(".picked"), "drop", [[[1, 2, 3], "broken.png"]])
    assert page.see(".problem").text == (
        "expected a picture that this browser can read, got broken.png. Save it as JPEG or PNG."
    )
    assert words(page) == list(best(bundle, paths[1]).words)  # as it was before
    # The other tab, and no longer the first, takes what is pasted.
    page.see("[role=tab]", "A picture").click()
    page.script(GIVE, page.driver.find_element(By.TAG_NAME, "body"), "paste", given[:1])
    page.see(".result .hint", "0.png")
    page.see("[role=tab]", "Live").click()
    assert page.see(".steps").text == "2 pictures"


# A source by itself, whose stream has lost an answer with its connection.
LOSING = """
const [url, bytes, done] = arguments;
import(url).then(({ shownPicture }) => {
  const told = [];
  const tell = (what) => () => told.push(what);
  const view = {begin: tell("begin"), back: tell("back"), show: tell("show")};
  const session = {observe: async () => ({step: 1, answer: null})};
  const { element } = shownPicture({session, view, changed: tell("changed"), limits: {frame: 65536}});
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(bytes)], "a.png", {type: "image/png"}));
  const problem = element.querySelector(".problem");
  new MutationObserver(() => problem.hidden || done([told, problem.textContent]))
    .observe(problem, {attributeFilter: ["hidden"]});
  element.dispatchEvent(new DragEvent("drop", {dataTransfer: files, cancelable: true}));
});
"""


def test_an_answer_that_is_lost(looking: Browser, shapes: Server, tmp_path: Path) -> None:
    (path,) = files(tmp_path, 1)
    url, content = f"{shapes.url}page/source_picture.js", list(path.read_bytes())
    assert looking.driver.execute_async_script(LOSING, url, content) == [
        ["begin", "back"],
        "The answer was lost with the connection. Give the picture again.",
    ]


def test_a_large_picture_is_scaled_down(looking: Browser, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1_200, 1_600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    choose(looking, tmp_path / "large.png")
    looking.see(".caption .word")
    ratio = "const {width, height} = document.querySelector('.seen').getBoundingClientRect();"
    assert looking.script(ratio + "return width / height") == pytest.approx(4 / 3, abs=0.01)
    assert not looking.all(".problem")


def test_what_the_server_cannot_read(chromium: Browser, bundle: Bundle, tmp_path: Path) -> None:
    (path,) = files(tmp_path, 1)
    with serving({"shapes": bundle.path}, "--max-frame", "500") as server:
        chromium.open(server.url)
        chromium.see("h1", "shapes")
        choose(chromium, path)
        assert chromium.see(".problem").text == (
            "The server’s frames are too small for a picture. Start it with a larger --max-frame."
        )
        chromium.check(server)


def test_a_whole_picture(looking: Browser, bundle: Bundle, shapes: Server, tmp_path: Path) -> None:
    page, (path,) = looking, files(tmp_path, 1)
    page.see("[role=tab]", "A picture").click()
    choose(page, path)
    (row,) = bundle.predict(str(path)).rows(named=True)
    page.see(".result .caption", row["caption"])
    assert f"Score {row['score']:.4g}" in page.see(".result .hint").text
    assert page.see(".result .seen").get_attribute("aria-label") == f"0.png: {row['caption']}"
    page.see(".result summary", "The same from a command line").click()
    command = page.see(".request").text
    assert f"{shapes.url}v1/bundles/shapes/predict" in command
    if shutil.which("curl"):
        ran = subprocess.run(
            ["sh", "-c", command + " --silent"], cwd=tmp_path, capture_output=True, check=True, timeout=60
        )
        assert json.loads(ran.stdout)["rows"] == [row | {"picture": "file.png"}]


def test_a_picture_that_only_the_server_reads(looking: Browser, tmp_path: Path) -> None:
    page = looking
    (tmp_path / "it's.tif").write_bytes(file_of(paint("blue", "square", "top"), "TIFF"))
    page.see("[role=tab]", "A picture").click()
    choose(page, tmp_path / "it's.tif")
    page.see(".result .hint", "This browser cannot show the picture.")
    assert not page.all(".result .seen")
    (tmp_path / "notes.png").write_text("no picture")
    choose(page, tmp_path / "notes.png")
    page.see(".problem", "notes.png: expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM)")
    page.logs()  # the refusal itself


@pytest.mark.slow
def test_a_model_of_features(chromium: Browser, tmp_path: Path) -> None:
    with serving({"features": features_bundle(tmp_path / "features").path}) as server:
        chromium.open(server.url)
        chromium.see("h1", "features")
        chromium.see(".hint", "No stream here: expected a captioner that looks at pictures")
        assert not chromium.all("[role=tab]")
        chromium.check(server)
