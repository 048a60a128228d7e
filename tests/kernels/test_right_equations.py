"""Right: against the cells' equations written once more, in NumPy, with derivatives by complex steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forms import FORMS, Batch, Form, batch, outcome

Array = np.ndarray[Any, Any]

# f(p + i·step·v) has the derivative along v in its imaginary part, exact: no difference is taken.
STEP = 1e-30


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def rnn(a: Array, h: Array, w: dict[str, Array]) -> tuple[Array, ...]:
    return (np.tanh(a + h @ w["hh"].T + w["bhh"]),)


def rnn_relu(a: Array, h: Array, w: dict[str, Array]) -> tuple[Array, ...]:
    a = a + h @ w["hh"].T + w["bhh"]
    return (np.where(a.real > 0, a, 0),)


def gru(a: Array, h: Array, w: dict[str, Array]) -> tuple[Array, ...]:
    (a_r, a_z, a_n), (u_r, u_z, u_n) = (np.split(s, 3, -1) for s in (a, h @ w["hh"].T + w["bhh"]))
    r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
    n = np.tanh(a_n + r * u_n)
    return ((1 - z) * n + z * h,)


def gru_reset_before(a: Array, h: Array, w: dict[str, Array]) -> tuple[Array, ...]:
    (a_r, a_z, a_n), (w_r, w_z, w_n), (b_r, b_z, b_n) = (
        np.split(s, 3, axis) for s, axis in ((a, -1), (w["hh"], 0), (w["bhh"], 0))
    )
    r, z = sigmoid(a_r + h @ w_r.T + b_r), sigmoid(a_z + h @ w_z.T + b_z)
    n = np.tanh(a_n + (r * h) @ w_n.T + b_n)
    return ((1 - z) * n + z * h,)


def lstm(a: Array, h: Array, w: dict[str, Array], c: Array) -> tuple[Array, ...]:
    i, f, g, o = np.split(a + h @ w["hh"].T + w["bhh"], 4, -1)
    p_i, p_f, p_o = w.get("peephole", np.zeros((3, 1)))
    c_new = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
    h_new = sigmoid(o + p_o * c_new) * np.tanh(c_new)
    return (h_new @ w["hr"].T if "hr" in w else h_new, c_new)


EQUATIONS: dict[str, Any] = {
    "rnn": rnn,
    "rnn_relu": rnn_relu,
    "gru": gru,
    "gru_reset_before": gru_reset_before,
    "lstm": lstm,
    "lstm_projected": lstm,
    "lstm_peephole": lstm,
    "lstm_peephole_projected": lstm,
}
assert EQUATIONS.keys() == FORMS.keys()


def over_time(step: Any, leaves: dict[str, Array]) -> list[Array]:
    """y, h_n and, where there is one, c_n of one layer."""
    names = {"weight_ih_l0": "ih", "weight_hh_l0": "hh", "bias_ih_l0": "bih", "bias_hh_l0": "bhh"}
    names |= {"weight_hr_l0": "hr", "weight_peephole_l0": "peephole"}
    w = {short: leaves[name] for name, short in names.items() if name in leaves}
    h, c = leaves["h_0"][0], [leaves[name][0] for name in leaves if name == "c_0"]
    ys = []
    for x in leaves["x"]:
        h, *c = step(x @ w["ih"].T + w["bih"], h, w, *c)
        ys.append(h)
    return [np.stack(ys), h[None], *(s[None] for s in c)]


def given_to(layer: Any, batch: Batch) -> dict[str, Array]:
    leaves = {"x": batch.x} | {f"{n}_0": s for n, s in zip(layer.cell.states, batch.state, strict=True)}
    leaves |= dict(layer.named_parameters())
    return {name: leaf.detach().double().numpy() for name, leaf in leaves.items()}


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 2), (9, 1, 5, 19), (7, 6, 16, 32), (30, 3, 4, 7), (5, 33, 21, 40)]
)
@pytest.mark.parametrize("name", FORMS)
def test_values_and_derivatives(name: str, dtype: torch.dtype, shape: tuple[int, int, int, int]) -> None:
    steps, rows, inputs, units = shape
    form: Form = FORMS[name]
    layer = form(inputs, units, dtype=dtype)
    given = batch(layer, steps, rows)
    found = {part: value.double().numpy() for part, value in outcome(layer, given).items()}
    leaves, step = given_to(layer, given), EQUATIONS[name]
    eps = torch.finfo(dtype).eps

    expected = over_time(step, leaves)
    outputs = [f"{state}_n" for state in layer.cell.states]
    for part, value in zip(["y", *outputs], expected, strict=True):
        np.testing.assert_allclose(found[part], value, rtol=0, atol=16 * eps, err_msg=part)

    dice = np.random.default_rng(3)
    cotangents = [d.double().numpy() for d in (given.dy, *given.dnew)]
    for leaf, value in leaves.items():
        along = dice.standard_normal(value.shape)
        moved = over_time(step, leaves | {leaf: value + 1j * STEP * along})
        slope = sum((d * out.imag).sum() / STEP for d, out in zip(cotangents, moved, strict=True))
        gradient = found[f"{leaf}.grad"]
        size = float(np.abs(gradient * along).sum())
        assert abs((gradient * along).sum() - slope) <= 64 * eps * max(1.0, size), leaf
