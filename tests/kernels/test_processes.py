"""The core after fork(): in workers of a DataLoader, and wherever else a process is copied."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest
import torch
from forms import Form, Outcome, batch, outcome, same_bits, threads

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_a_copy(work: Callable[[], None]) -> None:
    """Run work in a forked process. It must come to its end, and soon."""
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("The copy hangs.")


def check(layer: Any, given: Any, expected: Outcome, count: int) -> Callable[[], None]:
    def work() -> None:
        torch.set_num_threads(count)
        for _ in range(3):
            same_bits(outcome(layer, given), expected)

    return work


@pytest.mark.parametrize("count", [1, 4])
def test_fork_after_use(form: Form, count: int) -> None:
    layer = form(20, 48)
    given = batch(layer, 12, 33)
    with threads(count):
        expected = outcome(layer, given)
        in_a_copy(check(layer, given, expected, count))
        same_bits(outcome(layer, given), expected, "the parent, afterwards")
        in_a_copy(check(layer, given, expected, 5 - count))


def test_fork_before_use(form: Form) -> None:
    layer = form(20, 48)
    given = batch(layer, 12, 33)
    expected = outcome(layer, given)

    def grandchild() -> None:
        in_a_copy(check(layer, given, expected, 4))

    in_a_copy(grandchild)


def test_fork_while_another_thread_is_at_work(form: Form) -> None:
    layer = form(20, 48)
    given = batch(layer, 12, 9)
    expected = outcome(layer, given)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            outcome(layer, given, backward=False)

    busy = threading.Thread(target=work)
    busy.start()
    try:
        for _ in range(5):
            in_a_copy(check(layer, given, expected, 2))
    finally:
        stop.set()
        busy.join()


class Encoded(torch.utils.data.Dataset[torch.Tensor]):
    """Rows that a layer has run over already, where the loader's workers fetch them."""

    def __init__(self, layer: Any, rows: torch.Tensor) -> None:
        self.layer, self.rows = layer, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: int) -> torch.Tensor:
        with torch.no_grad():
            y: torch.Tensor = self.layer(self.rows[k])[0]
        return y


def test_workers_of_a_loader(form: Form) -> None:
    layer, rows = form(5, 19, num_layers=2), torch.randn(12, 8, 5)
    with threads(2):
        expected = layer(rows.transpose(0, 1))[0].transpose(0, 1).detach()
        loader = torch.utils.data.DataLoader(
            Encoded(layer, rows), batch_size=4, num_workers=2, multiprocessing_context="fork", timeout=60
        )
        for _ in range(2):
            assert torch.cat(list(loader)).equal(expected)
