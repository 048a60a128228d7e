"""A server process, and a Chromium that looks at it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60.0  # seconds for what the page waits for; machines are slow at times
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


class Server:
    """`recurra serve` in a process of its own, on a free port of this machine."""

    def __init__(self, bundles: Mapping[str, Path], *options: str, port: int = 0) -> None:
        named = [f"{name}={folder}" for name, folder in bundles.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "recurra", "serve", *named, "--port", str(port), *options],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://[\d.]+:(\d+)", line)
        assert found, f"the server did not start: {line!r}"
        self.url, self.port = found[0] + "/", int(found[1])

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextlib.contextmanager
def serving(bundles: Mapping[str, Path], *options: str, port: int = 0) -> Iterator[Server]:
    """A server for as long as it is looked at."""
    server = Server(bundles, *options, port=port)
    try:
        yield server
    finally:
        server.stop()


class Browser:
    """A headless Chromium, and what a visitor does with the page."""

    def __init__(self, downloads: Path, *more: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", *more):
            options.add_argument(flag)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.downloads = downloads

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Another page, with nothing of the one before."""
        self.driver.get("about:blank")
        self.logs()
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[scheme])
        self.driver.get(url)

    def _tell(self, command: str, **parts: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parts)

    @contextlib.contextmanager
    def slowly(self) -> Iterator[None]:
        """A connection over which 4 kB come in a second."""
        speed = {"offline": False, "latency": 0, "uploadThroughput": -1}
        self._tell("Network.emulateNetworkConditions", downloadThroughput=4_000, **speed)
        yield
        self._tell("Network.emulateNetworkConditions", downloadThroughput=-1, **speed)

    def script(self, text: str, *given: Any) -> Any:
        """What a script says in the page."""
        return self.driver.execute_script(text, *given)

    def wait(self, until: Any, what: str = "") -> Any:
        """What `until` returns once it is true."""
        return WebDriverWait(self.driver, PATIENCE, 0.05).until(lambda _: until(), what)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that can be seen."""
        return [one for one in self.driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    def see(self, selector: str, text: str = "") -> WebElement:
        """The first element that can be seen and has the text, once there is one."""

        def found() -> WebElement | None:
            return next((one for one in self.all(selector) if text in one.text), None)

        return self.wait(found, f"no {selector} with {text!r}")

    def press(self, text: str) -> None:
        """Click on a button."""
        self.wait(lambda: [one for one in self.all("button:not([role=tab])") if one.text == text], text)[
            0
        ].click()

    def paste(self, text: str, label: str) -> None:
        """Put a text into the field of a label at once."""
        self.script(
            "const [field, text] = arguments;"
            "field.value = text; field.dispatchEvent(new Event('input', {bubbles: true}))",
            self.field(label),
            text,
        )

    def field(self, label: str) -> WebElement:
        """The control that a label names."""
        target = self.see("label", label).get_attribute("for")
        return self.driver.find_element(By.ID, str(target))

    def keys(self, *keys: str) -> None:
        """Type, into whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def tab_back_to(self, text: str) -> WebElement:
        """The same, backwards."""
        return self.tab_to(text, Keys.SHIFT + Keys.TAB)

    def tab_to(self, text: str, key: str = Keys.TAB) -> WebElement:
        """Go on with the Tab key until the focus is on a control of this name."""
        seen = []
        for _ in range(80):
            self.keys(key)
            name = self.script(NAME, self.driver.switch_to.active_element)
            seen.append(name)
            if name == text:
                return self.driver.switch_to.active_element
        raise AssertionError(f"no {text!r} among {seen}")

    def logs(self) -> tuple[list[str], list[str]]:
        """What the console has said since last time, and which addresses were asked for."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        asked = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                asked.append(message["params"]["url"])
        return said, asked

    def check(self, server: Server) -> None:
        """Nothing went wrong unseen, and nothing was asked of anyone else."""
        said, asked = self.logs()
        assert not said, said
        for url in asked:
            parts = urlsplit(url)
            own = parts.hostname == "127.0.0.1" and parts.port == server.port
            assert own or parts.scheme in ("blob", "data"), url

    def picture(self, path: Path) -> None:
        """The whole page as it looks."""
        self.driver.save_screenshot(str(path))


# The name by which a control is announced, near enough.
NAME = """
const it = arguments[0];
return it.getAttribute("aria-label") || it.labels?.[0]?.textContent || it.textContent.trim();
"""
