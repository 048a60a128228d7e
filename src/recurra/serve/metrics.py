"""What the server counts, as Prometheus reads it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

# Seconds: from a step alone to a client's patience.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Histogram:
    """Counts by bounds; quick, since each observation of each stream is counted. On the loop."""

    def __init__(self) -> None:
        self._counts, self.sum = [0] * (len(BOUNDS) + 1), 0.0

    def __call__(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus has them."""
        total, found = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self._counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Counts:
    """Everything that is counted; `text` is what /metrics gives. gauges: asked for when it is read."""

    def __init__(self) -> None:
        self.streams: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.steps: dict[str, int] = {}
        self.batches: Counter[str] = Counter()
        self.batched: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str, str]] = Counter()  # by bundle, what, status
        self.closed: Counter[str] = Counter()  # by code
        self.latency = Histogram()
        self.seconds: dict[str, Histogram] = {}  # of requests, by what
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def stepped(self, bundle: str, steps: int, batch: int) -> None:
        """A step was taken. steps: observations so far."""
        self.steps[bundle] = steps
        self.batches[bundle] += 1
        self.batched[bundle] += batch

    def requested(self, bundle: str, what: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests[bundle, what, str(status)] += 1
        self.seconds.setdefault(what, Histogram())(seconds)

    def text(self) -> bytes:
        """For /metrics."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Any]:
        """For the registry."""
        by_bundle = [
            (GaugeMetricFamily, "recurra_streams", "Open streams.", self.streams),
            (CounterMetricFamily, "recurra_observations", "Observations taken by streams.", self.steps),
            (
                CounterMetricFamily,
                "recurra_observations_refused",
                "Observations refused, for load.",
                self.refused,
            ),
            (CounterMetricFamily, "recurra_steps", "Steps of a pool, each of many streams.", self.batches),
            (CounterMetricFamily, "recurra_steps_frames", "Frames taken in those steps.", self.batched),
        ]
        for kind, name, text, values in by_bundle:
            family = kind(name, text, labels=["bundle"])
            for bundle, value in dict(values).items():
                family.add_metric([bundle], value)
            yield family
        closed = CounterMetricFamily("recurra_sockets_closed", "Sockets closed, by code.", labels=["code"])
        for code, value in dict(self.closed).items():
            closed.add_metric([code], value)
        yield closed
        requests = CounterMetricFamily(
            "recurra_requests", "Requests answered.", labels=["bundle", "what", "status"]
        )
        for labels, value in dict(self.requests).items():
            requests.add_metric(list(labels), value)
        yield requests
        yield HistogramMetricFamily(
            "recurra_observation_seconds",
            "From the arrival of an observation to its answer.",
            buckets=self.latency.buckets(),
            sum_value=self.latency.sum,
        )
        seconds = HistogramMetricFamily(
            "recurra_request_seconds", "Time that requests took.", labels=["what"]
        )
        for what, histogram in dict(self.seconds).items():
            seconds.add_metric([what], histogram.buckets(), histogram.sum)
        yield seconds
        for name, (text, gauge) in self.gauges.items():
            yield GaugeMetricFamily(name, text, value=gauge())
