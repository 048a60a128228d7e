"""Runs of training in processes that can be killed, forked from one that has loaded torch already.

As a script it reads jobs from stdin, one JSON object a line, and answers each with the process's number and,
when that has ended, with its exit status.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Forks:
    """Starts runs of `recurra.fit` on the counting task."""

    def __enter__(self) -> Self:
        here = Path(__file__).resolve()
        path = os.pathsep.join(map(str, (here.parents[1], here.parents[2] / "src")))
        self._server = subprocess.Popen(
            [sys.executable, str(here)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def fit(
        self,
        source: Path,
        out: Path,
        *,
        save_always: bool = False,
        after: tuple[int, float] | None = None,
        at_operation: int | None = None,
        **options: Any,
    ) -> int:
        """Fit and return the exit status, negative for a signal.

        save_always: a checkpoint after every step; after: a signal, and how many seconds after the
        first checkpoint it is sent; at_operation: it kills itself before that operation on a file in `out`.
        """
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        job = {
            "source": str(source),
            "out": str(out),
            "save_always": save_always,
            "at_operation": at_operation,
            "options": options,
        }
        print(json.dumps(job), file=self._server.stdin, flush=True)
        pid = int(self._server.stdout.readline())
        if after is not None:
            while not any(out.glob("checkpoint/step-*")) and _lives(pid):
                time.sleep(0.005)
            time.sleep(after[1])
            # Until its status is read the process is not gone, so this number is still its own.
            os.kill(pid, after[0])
        print(file=self._server.stdin, flush=True)
        return int(self._server.stdout.readline())


def _lives(pid: int) -> bool:
    """Whether a process still runs; one that has ended waits as a zombie for its status to be read."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _serve() -> None:
    import torch._dynamo  # noqa: F401, PLC0415, which the first optimizer loads

    import counting.task  # noqa: F401, PLC0415
    import recurra.bundle  # noqa: PLC0415
    import recurra.train.loop  # noqa: F401, PLC0415
    from recurra.report import figures  # noqa: PLC0415

    with figures.drawing() as drawn:  # the first figure is slow: fonts are looked for
        drawn.axes.set_title("text")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run(**json.loads(line))
        print(pid, flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(source: str, out: str, save_always: bool, at_operation: int | None, options: dict[str, Any]) -> None:
    import recurra  # noqa: PLC0415
    from counting.task import Counting  # noqa: PLC0415
    from recurra.errors import Stopped  # noqa: PLC0415
    from recurra.train import loop  # noqa: PLC0415

    code = 1
    try:
        if save_always:
            loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0.0, 1e9
        if at_operation is not None:
            sys.addaudithook(_Killer(out, at_operation))
        recurra.fit(Counting(), source, out=out, quiet=True, **options)
        code = 0
    except Stopped as error:
        code = 128 + error.signal
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code)


class _Killer:
    """Ends the process with SIGKILL before the n-th operation on a file in a folder."""

    def __init__(self, folder: str, operations: int) -> None:
        self.folder, self.left = folder, operations

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"} and str(
            arguments[0]
        ).startswith(self.folder):
            self.left -= 1
            if self.left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _serve()
