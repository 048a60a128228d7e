"""One line for a PyTorch model: its recurrent layers become fast where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import nn

Model = TypeVar("Model", bound="nn.Module")


def accelerate(model: Model) -> Model:
    """Make every torch.nn RNN, GRU, LSTM and cell in the model run on Recurra's engines; return the model.

    Each one's class is changed in place, to recurra.nn's of the same name: weights, hooks, parametrizations,
    shared modules, an optimizer's parameters and state_dict stay what they are, and isinstance still holds.
    A kind of your own keeps its methods. Left alone are modules with a forward of their own, quantized ones
    and TorchScript's; `recurra.explain(model)` says which, and why. Doing it again changes nothing.

    Raises TypeError for what is no torch.nn.Module.
    """
    from torch import nn  # noqa: PLC0415  # `import recurra` does not wait for torch

    from recurra.nn.swap import swap  # noqa: PLC0415

    if not isinstance(model, nn.Module):
        raise TypeError(f"Expected a torch.nn.Module, got {type(model).__name__}. Give the model itself.")
    for module in model.modules():
        swap(module)
    return model
