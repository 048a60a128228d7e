"""Servers as the benchmarks start them: each a process of its own, on a core that is named."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTS = 120.0  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")


class Replica:
    """`recurra serve` of one bundle. module: whose command line, for tasks that are not recurra's own."""

    def __init__(self, bundle: Path, *options: str, module: str = "recurra", core: int | None = None) -> None:
        command = [sys.executable, "-m", module, "serve", f"bundle={bundle}", "--port", "0", *options]
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        if core is not None:
            os.sched_setaffinity(self.process.pid, {core})
        until, found = time.monotonic() + STARTS, None
        while found is None:
            if time.monotonic() > until or self.process.poll() is not None:
                self.kill()
                raise RuntimeError(self.log())
            time.sleep(0.05)
            found = re.search(r"^serving .*:(\d+)$", self.log(), re.MULTILINE)
        self.port = int(found[1])

    def log(self) -> str:
        """What it has written."""
        return self._log.read_text(errors="replace")

    def metric(self, name: str) -> float:
        """A number of /metrics, summed over its labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)))

    def resident(self) -> int:
        """Bytes of memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def seconds(self) -> float:
        """Of the processor, so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def crashed(self) -> bool:
        """Whether it has ended by itself, or said that something was wrong with itself."""
        return self.process.poll() is not None or "Traceback" in self.log()

    def stop(self) -> None:
        """Ask it to stop."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """No time for anything."""
        self.process.kill()
        self.process.wait()
