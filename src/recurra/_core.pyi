"""The compiled core: recurrences over arrays. csrc/bind.cpp defines it; recurra.engines.cpu calls it.

Addresses are ints, as Tensor.data_ptr() gives them, and 0 for what is absent. Everything is float32, or
float64 where `double`; weights and states are contiguous, weights in torch.nn's layout and gate order. In
x, y, dx and dy the last dimension has stride 1; the strides of time and batch are free, in elements.
"""

from collections.abc import Sequence
from typing import TypeAlias

Sizes: TypeAlias = tuple[int, int, int, int, int]  # T steps, B rows, I inputs, H units, R outputs
Strided: TypeAlias = tuple[int, int, int]  # address, stride of time, stride of batch
Weights: TypeAlias = tuple[int, int, int, int, int, int]  # w_ih, w_hh, b_ih, b_hh, w_hr, peephole
State: TypeAlias = tuple[int, int]  # h, c
Matrix: TypeAlias = tuple[int, int]  # address, values from one row to the next
InSlots: TypeAlias = tuple[int, int, int, int]  # h's address, values from slot to slot; c's

def instructions() -> str:
    """The instruction set in use: "avx512", "avx2" or "portable".

    Raises ValueError if RECURRA_INSTRUCTIONS names one that this machine cannot run.
    """

def available() -> list[str]:
    """The instruction sets that this machine can run, the best first."""

def use_instructions(name: str) -> None:
    """Use another instruction set from now on, for tests. Raises ValueError for one that is not available."""

def fma_peak(threads: int, seconds: float) -> float:
    """10⁹ operations a second that multiply-adds alone reach in float32, measured for that long."""

def saved_size(cell: str, double: bool, memory: str, sizes: Sizes, pairs: int) -> int:
    """How many values `forward` saves for `backward`. T: the longest length; pairs: their sum."""

def buffer(bytes: int) -> Buffer:
    """Uninitialised memory that is used again once nothing refers to it; for torch.frombuffer."""

class Buffer:
    """Memory from `buffer`, with the buffer protocol."""

    def __buffer__(self, flags: int, /) -> memoryview: ...

def forward(
    cell: str,
    double: bool,
    reverse: bool,
    threads: int,
    memory: str,
    sizes: Sizes,
    x: Strided,
    lengths: int,
    reset: Strided,
    weights: Weights,
    state: State,
    y: Strided,
    final: State,
    saved: int,
) -> None:
    """Run one layer in one direction over time.

    cell     "rnn_tanh", "rnn_relu", "gru", "gru_reset_before", "lstm" or "lstm_peephole"
    memory   "none" (no backward will come), "stored", "recomputed" or "checkpointed"
    x        (T, B, I)
    lengths  (B,) int64, 0 … T
    reset    (T, B) bool
    y        (T, B, R), written; zero beyond a row's length
    final    the state after each row's last step, written
    saved    room for `saved_size` values
    Raises ValueError for a name that is none of these.
    """

def backward(
    cell: str,
    double: bool,
    reverse: bool,
    threads: int,
    memory: str,
    sizes: Sizes,
    x: Strided,
    lengths: int,
    reset: Strided,
    weights: Weights,
    state: State,
    y: Strided,
    saved: int,
    dy: Strided,
    dfinal: State,
    dx: tuple[int, int, int, bool],
    dweights: Weights,
    dstate: State,
) -> None:
    """The gradients of what `forward` was called with. 0: not wanted, or zeros for dy and dfinal.

    y         read where memory is "stored" or "recomputed"
    saved     what `forward` saved of the same cell, in the same mode and on the same instructions
    dx        address and strides, and whether to add to what is there
    dweights  overwritten, as is dstate
    Raises ValueError where `saved` is another record.
    """

class Step:
    """One step at a time of all layers, for a batch of one; holds packed weights and states."""

    def __init__(
        self,
        cell: str,
        double: bool,
        bf16: bool,
        I: int,
        H: int,
        R: int,
        L: int,
        weights: Sequence[Weights],
    ) -> None:
        """bf16: hold the weights rounded to bfloat16. They are copied: later changes to them are not seen."""

    @property
    def x(self) -> int:
        """Address of the I inputs, read by each call."""

    def h(self, layer: int) -> int:
        """Address of a layer's R outputs, read and written by each call."""

    def c(self, layer: int) -> int:
        """Address of a layer's H cell values; 0 for a cell that has none."""

    def __call__(self) -> None:
        """One step. The result is h of the last layer."""

class ManySteps:
    """One step at a time of all layers for many streams; holds packed weights, and no state."""

    def __init__(self, cell: str, double: bool, I: int, H: int, R: int, weights: Sequence[Weights]) -> None:
        """The weights of each layer are copied: later changes to them are not seen."""

    def __call__(
        self,
        B: int,
        which: int,
        slots: int,
        x: Matrix,
        states: Sequence[InSlots],
        y: Matrix,
        threads: int,
    ) -> None:
        """One step of the streams in slots `which` (B,) int64; their states change in place.

        x       (B, I)
        states  of each layer, h (slots, R) and c (slots, H)
        y       (B, R), written; may be 0
        Raises ValueError, before anything is written, for a slot that is not there or named twice.
        """

def linear(
    double: bool,
    threads: int,
    sizes: tuple[int, int, int],
    x: Matrix,
    weight: Strided,
    bias: int,
    y: Matrix,
) -> None:
    """y (N, O) = x (N, I) times weight (O, I) transposed, plus bias (O); sizes: N, I, O.

    weight  address, stride of O, stride of I; one of them is 1
    """
