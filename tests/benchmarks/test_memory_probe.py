import sys

import pytest

from layers import memory
from layers.probe import measured

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
SIZES = (16, 256, 64, 64)  # y is 1 MB


def test_a_step_takes_what_the_layer_saves():
    found = measured("LSTM", SIZES, "torch", None, threads=1)
    saved = found["peak"] / (4 * 16 * 256 * 64)
    # Five gates and states for each unit and step at the least; less than any sensible multiple of that.
    assert 4 < saved < 40
    assert found["first"] <= found["peak"]
    assert found["kept"] < found["peak"]


def test_what_goes_wrong_there_is_said_here():
    with pytest.raises(RuntimeError, match="NoSuchCell"):
        measured("NoSuchCell", SIZES, "torch", None, threads=1)


def test_ratios_to_torch():
    peaks = {"torch": 100, "stored": 60, "recomputed": 25, "checkpointed": 4}
    taken = {side: {"peak": peak, "kept": 0} for side, peak in peaks.items()}
    row = {"cell": "GRU", "sizes": [1, 2, 3, 4], "bytes": taken}
    times = {"stored": [1.0], "checkpointed": [1.3]}
    found = {
        "rows": [row | {"long": False}, row | {"long": True}],
        "long_seconds": dict.fromkeys(("GRU", "RNN", "LSTM"), times),
    }
    assert [target.measured for target in memory.targets(found)] == [0.6, 0.25, 0.04, 1.3, 1.3, 1.3]
    assert all(target.reached for target in memory.targets(found))
