"""PyTorch's own cases for its recurrent modules (torch.testing), run on ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from recurra import nn
from recurra.engines import ENGINES, use_engine

pytest.importorskip("expecttest", reason="torch.testing's cases need expecttest")
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
from torch.testing._internal.common_utils import freeze_rng_state

NAMES = ("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell")
INFOS = {
    info.module_cls.__name__: info
    for info in module_db
    if info.module_cls.__module__ == "torch.nn.modules.rnn"
}
GIVEN = {"device": "cpu", "requires_grad": True}


def forward_samples() -> Iterator[Any]:
    for name in NAMES:
        info = INFOS[name]
        # The packed ones are there for PyTorch's own checks of packed sequences on other devices.
        packed = {} if name == "LSTM" or name.endswith("Cell") else {"with_packed_sequence": True}
        for dtype in info.dtypes:
            for training in (True, False) if info.train_and_eval_differ else (True,):
                make = partial(info.module_inputs_func, info, **GIVEN, **packed)
                for k, sample in enumerate(make(dtype=dtype, training=training)):
                    label = f"{name}-{str(dtype)[6:]}-{'train' if training else 'eval'}-{k}"
                    yield pytest.param(name, dtype, training, sample, id=label)


def error_samples() -> Iterator[Any]:
    for name in NAMES:
        info = INFOS[name]
        for dtype in info.dtypes:
            samples = info.module_error_inputs_func(info, dtype=dtype, training=True, **GIVEN)
            for k, sample in enumerate(samples):
                yield pytest.param(name, dtype, sample, id=f"{name}-{str(dtype)[6:]}-{k}")


FORWARD, ERRORS = list(forward_samples()), list(error_samples())


@pytest.fixture(params=[engine.NAME for engine in ENGINES])
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    with use_engine(request.param):
        yield


def test_how_many_there_are() -> None:
    assert set(INFOS) == set(NAMES)
    assert len(FORWARD) >= 430
    assert len(ERRORS) == 116


def parts(output: Any) -> list[torch.Tensor]:
    if isinstance(output, PackedSequence):
        return [output.data]
    if isinstance(output, torch.Tensor):
        return [output]
    return [tensor for part in output for tensor in parts(part)]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("name", "dtype", "training", "sample"), FORWARD)
def test_forward(name: str, dtype: torch.dtype, training: bool, sample: Any, assert_close: Any) -> None:
    made, given = sample.constructor_input, sample.forward_input
    ours = getattr(nn, name)(*made.args, **made.kwargs, dtype=dtype).train(training)
    theirs = getattr(torch.nn, name)(*made.args, **made.kwargs, dtype=dtype).train(training)
    theirs.load_state_dict(ours.state_dict())

    with freeze_rng_state():
        output = ours(*given.args, **given.kwargs)
    expected = theirs(*given.args, **given.kwargs)
    # Inputs are as large as 9: what is left where they cancel has the rounding of the numbers that did.
    largest = max(1.0, *(float(part.detach().abs().max()) for part in parts(given.args[0]) if part.numel()))
    assert_close(parts(output), parts(expected), summed=largest)
    gradients = [
        torch.autograd.grad(sum(p.square().sum() for p in parts(out)), list(module.parameters()))  # type: ignore[arg-type]
        for out, module in ((output, ours), (expected, theirs))
    ]
    assert_close(*gradients, "gradient", largest)

    if sample.reference_fn is not None and not isinstance(given.args[0], PackedSequence):
        expected = sample.reference_fn(ours, *given.args)
        assert_close(parts(output), parts(expected), summed=largest)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("name", "dtype", "sample"), ERRORS)
def test_errors(name: str, dtype: torch.dtype, sample: Any) -> None:
    made, given = sample.module_error_input.constructor_input, sample.module_error_input.forward_input
    build = partial(getattr(nn, name), *made.args, **made.kwargs)
    if sample.error_on is ModuleErrorEnum.CONSTRUCTION_ERROR:
        with pytest.raises(sample.error_type, match=sample.error_regex):
            build()
        return
    # As in PyTorch's own test, the module has the case's precision and the cells' inputs the same.
    module = build() if "dtype" in made.kwargs else build(dtype=dtype)
    with pytest.raises(sample.error_type, match=sample.error_regex) as error:
        module(*given.args, **given.kwargs)
    theirs = getattr(torch.nn, name)(*made.args, **made.kwargs)
    theirs = theirs if "dtype" in made.kwargs else theirs.to(dtype)
    with pytest.raises(sample.error_type, match=re.escape(str(error.value))):
        theirs(*given.args, **given.kwargs)
