"""The page listens: to a microphone that is a file, to recordings, and to neither where it may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, DRIVER, Browser, Server, serving
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import recurra
from recurra.data.audio import pcm as read
from tones import PITCHES, PLAIN, RATE, fit_tones, pcm, say

soundfile = pytest.importorskip("soundfile", reason="needs the extra [audio]")

Bundles = dict[str, Path]
SAID = np.concatenate([say("lo mi su", 3), say("su lo", 5, before=1.6)])
# What a browser's own microphone is recorded at.
FAST = 48_000


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone hears two words, again and again."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("expected chromium and chromedriver, got none: apt-get install chromium chromium-driver")
    folder = tmp_path_factory.mktemp("ears")
    sound = np.concatenate([say("lo su", 3, FAST), np.zeros(FAST * 3 // 2, dtype=np.float32)])
    soundfile.write(folder / "said.wav", sound, FAST, subtype="PCM_16")
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    browser = Browser(folder, *fake, f"--use-file-for-fake-audio-capture={folder / 'said.wav'}")
    yield browser
    browser.driver.quit()


@pytest.fixture
def listening(ears: Browser, server: Server) -> Iterator[Browser]:
    ears.open(server.url + "#tones")
    ears.see("h1", "tones")
    yield ears
    ears.check(server)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "said.wav", SAID, RATE, subtype="PCM_16")
    return tmp_path / "said.wav"


def finals(bundle: Path, seconds: float = 0.25) -> list[dict[str, Any]]:
    """What a stream says of the recording."""
    stream, samples = recurra.load(bundle).stream(), read(pcm(SAID))
    many = round(seconds * RATE)
    pieces = [samples[at : at + many] for at in range(0, len(samples), many)]
    return [said for piece in [*pieces, b""] for said in stream.step(piece)["final"]]


def choose(page: Browser, file: Path) -> None:
    page.driver.find_element(By.CSS_SELECTOR, "section:not([hidden]) input[type=file]").send_keys(str(file))


def said(page: Browser) -> list[str]:
    return [one.text for one in page.all(".utterances .words")]


def test_words_appear_while_one_speaks_by_keyboard_alone(listening: Browser) -> None:
    page = listening
    page.tab_to("Listen")
    page.keys(Keys.ENTER)
    page.see("button", "Stop")
    assert page.all(".level")
    loud = "return parseFloat(document.querySelector('.level .fill').style.width) > 50"
    page.wait(lambda: page.script(loud), "no level")
    partial = "return document.querySelector('.partial').textContent"
    page.wait(lambda: page.script(partial) or said(page), "nothing is being said")
    page.wait(lambda: len(" ".join(said(page)).split()) > 2, "nothing was said")
    assert set(" ".join(said(page)).split()) <= {*PITCHES}
    assert page.see(".utterances .time").text.endswith(" s")
    assert "s heard" in page.see(".steps").text
    assert page.see(".utterances").get_attribute("aria-live") == "polite"
    page.keys(Keys.SPACE)  # the focus has stayed
    page.see("[role=status]", "Done")
    assert page.script(partial) == ""
    assert not page.all(".level")
    page.press("Listen")  # and once more, from the beginning
    page.see("button", "Stop")
    page.press("Start over")
    page.see("button", "Listen")
    assert not page.all(".view")


def test_a_recording_is_heard_like_a_voice(listening: Browser, bundles: Bundles, recording: Path) -> None:
    page = listening
    choose(page, recording)
    page.see("[role=status]", "Done")
    expected = finals(bundles["tones"])
    assert expected
    assert said(page) == [one["text"] for one in expected]
    first = expected[0]["words"]
    assert page.see(".utterances .time").text == f"{first[0]['begin']:.1f}–{first[-1]['end']:.1f} s"
    assert page.see(".utterances .from").text == "said.wav"
    page.see("summary", "The words as a table").click()
    rows = [row.text.split()[2] for row in page.all(".view tbody tr")]
    assert rows == [word["text"] for one in expected for word in one["words"]]
    page.press("Save as CSV")
    saved = page.downloads / "tones-words.csv"
    page.wait(saved.exists)
    assert saved.read_text().startswith("begin,end,word,confidence\n")


DROP = """
const [box, bytes, name] = arguments;
const files = new DataTransfer();
files.items.add(new File([Uint8Array.from(bytes)], name));
box.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
"""


def test_a_recording_is_dropped(listening: Browser, recording: Path) -> None:
    page = listening
    page.script(DROP, page.see(".sound"), list(recording.read_bytes()), "b.wav")
    page.see(".utterances .from", "b.wav")
    page.see("[role=status]", "Done")
    page.script(DROP, page.see(".sound"), [1, 2, 3], "c.wav")
    assert page.see(".problem").text == (
        "expected a recording that this browser can read, got c.wav. Save it as WAV, FLAC, OGG or MP3."
    )
    page.see("button", "Listen")


def test_a_whole_recording(listening: Browser, bundles: Bundles, recording: Path) -> None:
    page = listening
    page.see("[role=tab]", "A recording").click()
    choose(page, recording)
    (row,) = recurra.load(bundles["tones"]).predict(str(recording)).rows(named=True)
    page.see(".transcript", row["text"])
    page.see(".result summary", "The words as a table").click()
    times = [row.text.split()[:2] for row in page.all(".result tbody tr")]
    assert times == [one.split("-") for one in row["times"].split()]
    assert page.all(".result button")


REFUSED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new {})"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})",
            "A browser opens the microphone for pages over HTTPS or of this machine itself alone. Serve "
            "with a certificate, or choose a recording.",
        ),
        (
            REFUSED.format("DOMException('', 'NotFoundError')"),
            "There is no microphone. Connect one, or choose a recording.",
        ),
        (
            REFUSED.format("DOMException('', 'NotAllowedError')"),
            "The microphone was not allowed. Allow it in the browser’s settings of this page, or choose a "
            "recording.",
        ),
        (
            REFUSED.format("Error('odd')"),
            "The microphone cannot be opened (odd). Choose a recording.",
        ),
    ],
)
def test_without_a_microphone(listening: Browser, recording: Path, spoil: str, message: str) -> None:
    page = listening
    page.script(spoil)
    page.press("Listen")
    assert page.see(".problem").text == message
    choose(page, recording)  # goes on without one
    page.see("[role=status]", "Done")
    assert not page.all(".problem")


def test_a_machine_without_a_microphone(page: Browser, server: Server) -> None:
    page.open(server.url + "#tones")
    page.see("h1", "tones")
    page.press("Listen")
    found = page.see(".problem").text
    assert found.startswith(("There is no microphone.", "The microphone was not allowed."))
    assert found.endswith("choose a recording.")


@pytest.mark.slow
def test_a_model_that_must_hear_the_end(chromium: Browser, tmp_path: Path, recording: Path) -> None:
    bundle = fit_tones(tmp_path / "whole", live=False, **PLAIN)
    with serving({"whole": bundle.path}) as server:
        chromium.open(server.url)
        chromium.see("h1", "whole")
        assert [one.text for one in chromium.all("[role=tab]")] == ["A recording"]
        chromium.see(".hint", "No stream here: expected a model that listens while somebody speaks")
        choose(chromium, recording)
        (row,) = bundle.predict(str(recording)).rows(named=True)
        chromium.see(".transcript", row["text"] or "(nothing was said)")
        (tmp_path / "notes.wav").write_text("no sound")
        choose(chromium, tmp_path / "notes.wav")
        chromium.see(".problem", "notes.wav: expected a recording (WAV, FLAC, OGG or MP3)")
        chromium.logs()
