"""The server under load: many sockets, more work than it can do, and everything that may go wrong.

python benchmarks/serve.py          # about twenty minutes on 2 cores; writes docs/results.md
python benchmarks/serve.py --quick  # a try of everything in a minute or two; prints, and writes nothing
python benchmarks/serve.py --table  # only writes docs/results.md again from benchmarks/serve.json

The server is one process on one core, the clients another on another, over the loopback interface. Every
answer is compared, bit for bit, with what the bundle says without a server. Needs redis-server.
Where its processes are given real-time priority, Linux stops them 50 ms in each second.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json

import chaos
import datasets
import recurra
from layers.targets import Target, targets_table
from recurra.bundle import Bundle
from recurra.stream import StreamPool
from recurra.tasks.base import Steps
from replicas import Replica
from results import keep, load, machine, table, write_section
from sockets import Load, quantiles

RESULTS = Path(__file__).with_suffix(".json")
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "runs" / "benchmarks" / "serve"
DATA = datasets.ROOT / "classification" / "ucr_uea" / "ItalyPowerDemand" / "ItalyPowerDemand_TRAIN.ts"
NAME = "bundle"
CLOSED = 64  # sockets that send as soon as they are answered
VARIETY = 4096  # different observations
# Clients that are compared with streams alone, and others with streams that go on side by side, in pools.
ALONE, TOGETHER = 50, 500
Found = dict[str, Any]

INTRODUCTION = """## Serving

One server process on one core, its clients in another process on another core, over the loopback interface:
`python benchmarks/serve.py` ({machine}). Every answer was compared bit for bit with what the bundle says
without a server. The bundle: {bundle}.

"""


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--bundle", type=Path, help="default: one of ItalyPowerDemand is fitted")
    parser.add_argument("--module", default="recurra", help="whose command line serves the bundle's task")
    parser.add_argument("--sockets", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", choices=["held", "over", "chaos"])
    given = parser.parse_args()
    if not given.table:
        sockets = given.sockets or (300 if given.quick else 10_000)
        seconds = given.seconds or (6.0 if given.quick else 300.0)
        measure(given, sockets, seconds)
    if not given.quick:
        write(load(RESULTS))


def measure(given: argparse.Namespace, sockets: int, seconds: float) -> None:
    """Each part, kept as soon as it is done."""
    if given.module != "recurra":
        import_task(given.module)
    bundle = recurra.load(given.bundle or fitted())
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    start = partial(Replica, bundle.path, module=given.module, core=cores[0])
    parts: dict[str, Callable[[], Found]] = {
        "held": lambda: held(bundle, start, sockets, seconds, given.module),
        "over": lambda: over(bundle, start, min(sockets, 1000), min(seconds, 30.0)),
        "chaos": lambda: chaos.run(
            bundle,
            partial(observation, Observations(bundle.steps())),
            sessions=20 if given.quick else 200,
            seconds=15.0 if given.quick else 180.0,
            module=given.module,
        ),
    }
    for name, part in parts.items():
        if given.only in (None, name):
            found = part()
            print(name, json.dumps(found, indent=1))
            if not given.quick:
                keep(RESULTS, name, found | {"machine": machine(), "bundle": described(bundle)})


def import_task(module: str) -> None:
    """Make a task known that is not recurra's own: `module.task.Task` under the module's name."""
    from recurra.tasks import TASKS, Entry  # noqa: PLC0415

    TASKS[module] = Entry(module, module.capitalize(), module)
    import_module(f"{module}.task")


def fitted() -> Path:
    """A classifier of a meter's readings, one number a step."""
    if not (FOLDER / "bundle.json").exists():
        recurra.fit("classify", str(DATA), out=FOLDER, overwrite=True, time_budget=60)
    return FOLDER


def described(bundle: Bundle) -> str:
    """A bundle in a few words."""
    parameters, size = bundle.record["parameters"], bundle.steps().fresh()
    size_of = sum(part.nbytes for part in size.values())
    return f"{bundle.task.name}, {parameters:,} parameters, {size_of:,} bytes a stream"


class Observations:
    """Many different observations of a kind, made beforehand."""

    def __init__(self, model: Steps) -> None:
        dice = random.Random(0)
        self.values = [self._one(model, dice) for _ in range(VARIETY)]
        self.payloads = [to_json({"observation": value}) for value in self.values]

    def _one(self, model: Steps, dice: random.Random) -> Any:
        example, schema = model.example, model.observation
        if model.kind == "text":
            return "".join(dice.choice("etaoin shrdlu") for _ in range(dice.randrange(1, 4)))
        if model.kind == "event":
            return dice.choice(schema.get("enum") or [example])
        if isinstance(example, dict):
            return {name: _varied(value, dice) for name, value in example.items()}
        return [_varied(value, dice) for value in example]


def _varied(value: Any, dice: random.Random) -> Any:
    return round(dice.gauss(0, 1), 6) if isinstance(value, float) else value


def place(number: int, step: int) -> int:
    """Which observation a client sends; another for every client at every step, as far as there are."""
    return (number * 7919 + step * 104_729 + number * step) % VARIETY


def observation(of: Observations, number: int, step: int) -> Any:
    """As JSON has it."""
    return of.values[place(number, step)]


def clients(bundle: Bundle, server: Replica) -> Load:
    """Clients of a server, none yet."""
    made = Observations(bundle.steps())
    return Load(server.port, NAME, lambda number, step: made.payloads[place(number, step)])


def held(bundle: Bundle, start: Callable[..., Replica], sockets: int, seconds: float, module: str) -> Found:
    """Open sockets, an observation a second each."""
    server = start("--streams", str(sockets))
    group = clients(bundle, server)
    before = server.resident()
    group.open(sockets)
    memory: list[tuple[float, int]] = []
    begun = server.seconds()
    group.run(seconds, 1.0, watch=lambda at: memory.append((at, server.resident())))
    group.drain()
    busy = (server.seconds() - begun) / seconds
    first = next((size for at, size in memory if at >= min(60.0, seconds / 5)), before)
    found = {
        "sockets": sockets,
        "seconds": seconds,
        "answers": len(group.latency),
        "latency": quantiles(group.latency),
        "refused": len(group.refusals),
        "errors": len(group.errors) + sum(client.closed for client in group.clients) + group.held_back,
        "client_late": group.late * 1e3,
        "core_busy": busy,
        "memory": memory[-1][1],
        "memory_a_socket": (memory[-1][1] - before) / sockets,
        "growth": memory[-1][1] / first - 1,
        "mixed": 0,
        "crashed": server.crashed,
    }
    digests = [Seen(one.number, one.answered, tuple(one.skipped), one.digest) for one in group.clients]
    group.close()
    server.stop()
    cores = range(os.cpu_count() or 1)
    os.sched_setaffinity(0, set(cores))
    with ProcessPoolExecutor(len(cores)) as pool:
        parts = [digests[k :: len(cores)] for k in cores]
        check = partial(mixed, bundle.path, module)
        found["mixed"] = sum(pool.map(check, parts))
    return found


class Seen(NamedTuple):
    """What a client has got: how many answers, which observations were refused, a sum over the answers."""

    number: int
    answered: int
    skipped: tuple[int, ...]
    digest: int


def mixed(path: Path, module: str, clients_: list[Seen]) -> int:
    """How many clients got other answers than the bundle gives without a server, some of them alone."""
    if module != "recurra":
        import_task(module)
    bundle = recurra.load(path)
    made = Observations(bundle.steps())
    sizes = [1] * min(ALONE, len(clients_))
    sizes += [TOGETHER] * -(-(len(clients_) - len(sizes)) // TOGETHER)
    ends = list(accumulate(sizes))
    groups = [clients_[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    return sum(_wrong(bundle, made, group) for group in groups)


def _wrong(bundle: Bundle, made: Observations, group: list[Seen]) -> int:
    """The same of clients whose streams go on side by side."""
    pool = StreamPool(bundle, len(group))
    digests = {pool.open(): 0 for _ in group}
    clients_ = dict(zip(digests, group, strict=True))
    refused = {name: set(one.skipped) for name, one in clients_.items()}
    for step in range(max(one.answered + len(one.skipped) for one in group)):
        given = {
            name: observation(made, one.number, step)
            for name, one in clients_.items()
            if step < one.answered + len(one.skipped) and step not in refused[name]
        }
        for name, answer in pool.step(given).items():
            told = to_json({"step": pool.steps(name), "answer": answer}, inf_nan_mode="null")
            digests[name] = zlib.crc32(told, digests[name])
    return sum(digests[name] != one.digest for name, one in clients_.items())


def over(bundle: Bundle, start: Callable[..., Replica], sockets: int, seconds: float) -> Found:
    """What it can do, half of that, and three times as much."""
    server = start("--streams", str(sockets))
    group = clients(bundle, server)
    group.open(sockets)
    group.closed_loop(seconds / 5, CLOSED)  # learns how long steps take
    capacity = group.closed_loop(seconds, CLOSED)
    found: Found = {"sockets": sockets, "capacity": capacity}
    for name, share in (("half", 0.5), ("three", 3.0)):
        group.latency.clear()
        group.refusals.clear()
        group.errors.clear()
        before, late = group.held_back, sum(client.closed for client in group.clients)
        group.late = 0.0
        group.run(seconds, share * capacity / sockets)
        group.drain()
        found[name] = {
            "accepted": len(group.latency),
            "latency": quantiles(group.latency),
            "refused": len(group.refusals),
            "refusals": quantiles(group.refusals),
            "errors": len(group.errors),
            "held_back": group.held_back - before,
            "closed": sum(client.closed for client in group.clients) - late,
            "client_late": group.late * 1e3,
        }
    group.close()
    extra = clients(bundle, server)
    found["handshakes"] = {"asked": 3 * sockets, "refusals": quantiles(extra.open(3 * sockets))}
    extra.close()
    found["crashed"] = server.crashed
    server.stop()
    return found


def write(found: dict[str, Found]) -> None:
    """The section of docs/results.md."""
    text = [INTRODUCTION.format(**next(iter(found.values())))]
    targets: list[Target] = []
    if "held" in found:
        text.append(_held_table(found["held"], targets))
    if "over" in found:
        text.append(_over_table(found["over"], targets))
    if "chaos" in found:
        text.append(_chaos_table(found["chaos"], targets))
    write_section("serving", "\n\n".join([*text, targets_table(targets)]))


def _held_table(found: Found, targets: list[Target]) -> str:
    latency, growth = found["latency"], 100 * found["growth"]
    targets += [
        Target("p99 of open sockets", 50, latency["p99"], "ms", most=True),
        Target("errors", 0, found["errors"] + found["refused"], "", most=True),
        Target("clients with another answer than a stream alone", 0, found["mixed"], "", most=True),
        Target("memory growth after the first minute", 1, growth, "%", most=True),
    ]
    rows = [
        ["open sockets, an observation a second each", f"{found['sockets']:,}"],
        ["seconds", f"{found['seconds']:,.0f}"],
        ["answers", f"{found['answers']:,}"],
        ["latency p50, p99, max", ", ".join(f"{value:.1f}" for value in latency.values()) + " ms"],
        ["refused, errors", f"{found['refused']}, {found['errors']}"],
        ["clients with another answer than a stream alone", f"{found['mixed']}"],
        ["of a core", f"{found['core_busy']:.0%}"],
        [
            "memory, and a socket's share",
            f"{found['memory'] / 2**20:,.0f} MiB, {found['memory_a_socket']:,.0f} B",
        ],
        ["growth after the first minute", f"{growth:.2f} %"],
        ["clients were late by, at worst", f"{found['client_late']:.1f} ms"],
    ]
    return "### Many open streams\n\n" + table(["", ""], rows)


def _over_table(found: Found, targets: list[Target]) -> str:
    half, three = found["half"], found["three"]
    worst = max((part["refusals"].get("p99", 0.0) for part in (three, found["handshakes"])), default=0.0)
    targets += [
        Target("crashes", 0, found["crashed"], "", most=True),
        Target("p99 until the excess is refused", 100, worst, "ms", most=True),
        Target("p99 of what is accepted, over unloaded", 2, _ratio(three, half), "×", most=True),
    ]
    names = {"half": "half of it", "three": "three times as much"}
    rows = []
    for key, name in names.items():
        part = found[key]
        rows.append(
            [
                name,
                f"{part['accepted']:,}",
                _told(part["latency"]),
                f"{part['refused']:,}",
                _told(part["refusals"]),
                f"{part['held_back']:,}",
                f"{part['closed']:,}",
            ]
        )
    head = ["", "answered", "p50, p99, max ms", "refused", "p50, p99, max ms", "held back", "sockets closed"]
    handshakes = found["handshakes"]
    return (
        f"### More than it can do\n\n{CLOSED} sockets that send as soon as they are answered: "
        f"{found['capacity']:,.0f} observations a second, the capacity. Of {handshakes['asked']:,} more "
        f"sockets all were refused, within {_told(handshakes['refusals'])} ms (p50, p99, max).\n\n"
        + table(head, rows)
    )


def _ratio(three: Found, half: Found) -> float:
    return three["latency"]["p99"] / half["latency"]["p99"] if three["latency"] and half["latency"] else 0.0


def _told(found: dict[str, float]) -> str:
    return ", ".join(f"{value:.1f}" for value in found.values()) or "–"


def _chaos_table(found: Found, targets: list[Target]) -> str:
    targets += [
        Target("leaked slots", 0, found["slots"], "", most=True),
        Target("wrong answers and lost states", 0, found["wrong"] + found["lost"], "", most=True),
    ]
    return (
        f"### Everything that may go wrong\n\n{found['sessions']} sessions kept in Redis, on two replicas, "
        f"for {found['seconds']:.0f} seconds: clients that end in the middle, vanish and come back; "
        f"a replica killed (SIGKILL) {found['kills']} times. {found['answers']:,} answers, each compared; "
        f"{found['broken']:,} broken connections; {found['wrong']} wrong answers, {found['lost']} lost "
        f"states, {found['slots']:.0f} slots not free at the end, {found['crashed']} crashes."
    )


if __name__ == "__main__":
    main()
