"""What is said while training: how long it takes at most, and nothing once nobody listens."""

from __future__ import annotations

import io
import os
import re
import time

from recurra.train.progress import Reporter


def test_no_more_is_left_than_the_time_budget() -> None:
    file = io.StringIO()
    reporter = Reporter(stream=file)
    reporter.begin(0, 1_000_000, 90.0)
    reporter._next_line = 0.0
    reporter._start = 0, time.monotonic() - 10  # a step in ten seconds
    reporter.step(1, 1_000_000, 2.5)
    (minutes, seconds), *_ = re.findall(r"about (\d+):(\d\d) left", file.getvalue())
    assert 80 <= 60 * int(minutes) + int(seconds) <= 90


def test_nothing_ends_where_nobody_listens() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as file:
        reporter = Reporter(stream=file)
        for _ in range(3):
            reporter.say("what nobody reads")
        assert not reporter._console.file.closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)
