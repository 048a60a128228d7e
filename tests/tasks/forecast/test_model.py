"""The network: shapes, the order of its quantiles, its loss, and how it uses what it is given."""

from dataclasses import replace

import pytest
import torch

from recurra.tasks.forecast.model import Forecaster, Inputs, Sizes, quantile_loss

SIZES = Sizes(
    look_back=8,
    segment=4,
    horizon=6,
    hidden=8,
    networks=2,
    members=3,
    context=5,
    past=1,
    future=2,
    calendar=2,
)
LEVELS = (0.1, 0.5, 0.9)


def inputs(batch=5, sizes=SIZES):
    """Random windows with every kind of input, parts of them unknown."""

    def normal(*shape):
        return torch.randn(batch, *shape)

    holes = normal(sizes.look_back, sizes.past)
    holes[:, 0] = torch.nan
    return Inputs(
        past=normal(sizes.look_back),
        gone=torch.zeros(batch, sizes.look_back),
        since=torch.zeros(batch, sizes.look_back),
        members=normal(sizes.members, sizes.horizon),
        context=normal(sizes.context),
        spread=torch.rand(batch) + 0.1,
        covariates=holes,
        known=normal(sizes.look_back + sizes.horizon, sizes.future),
        calendar=normal(4, sizes.calendar),
        target=normal(sizes.horizon),
    )


@pytest.mark.parametrize("levels", [LEVELS, (0.5,), (0.01, 0.02, 0.3, 0.5, 0.8), (0.5, 0.9, 0.99)])
def test_quantiles_ascend(levels):
    model = Forecaster(SIZES, levels).eval()
    found = model(inputs())
    assert found.shape == (5, 6, len(levels))
    assert (found.diff(dim=-1) >= 0).all()


def test_before_training_it_is_near_the_members_it_trusts():
    model = Forecaster(replace(SIZES, networks=8), LEVELS).eval()
    with torch.no_grad():
        for net in model.networks:
            net.linear.weight.zero_()
            net.linear.bias.zero_()
    model.trust(torch.tensor([1.0, 9.0, 9.0]))
    x = inputs()
    assert (model(x)[..., 1] - x.members[:, 0]).abs().mean() < 0.2


@pytest.mark.parametrize(
    "part", ["past", "gone", "since", "members", "context", "spread", "covariates", "known", "calendar"]
)
def test_every_input_matters(part):
    model, x = Forecaster(SIZES, LEVELS).eval(), inputs()
    with torch.no_grad():
        for net in model.networks:
            net.gate.weight.normal_()
        other = replace(x, **{part: getattr(x, part) + 1.0})
        assert (model(x) != model(other)).any()


def test_rows_do_not_touch():
    model, x = Forecaster(SIZES, LEVELS).eval(), inputs(6)
    row = Inputs(**{name: getattr(x, name)[2:3] for name in x.__dataclass_fields__})
    torch.testing.assert_close(model(row), model(x)[2:3])


def test_loss_is_the_definition():
    found, target = torch.randn(4, 6, 3), torch.randn(4, 6)
    target[0, :3] = torch.nan
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    total, count = 0.0, 0
    for b in range(4):
        for h in range(6):
            if torch.isnan(target[b, h]):
                continue
            count += 1
            for k, tau in enumerate(LEVELS):
                error = float(target[b, h] - found[b, h, k])
                total += 2 * max(tau * error, (tau - 1) * error) / 3
    assert float(quantile_loss(found, target, levels)) == pytest.approx(total / count, rel=1e-5)


def test_no_known_target_is_no_loss():
    model, x = Forecaster(SIZES, LEVELS), inputs()
    loss = model.pinball(replace(x, target=torch.full_like(x.target, torch.nan)))
    loss.backward()
    assert loss.item() == 0.0
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_factors_stretch_and_keep_the_order():
    model, x = Forecaster(SIZES, LEVELS).eval(), inputs()
    before = model(x)
    model.factors.fill_(2.0)
    after = model(x)
    torch.testing.assert_close(after[..., 2] - after[..., 1], 2 * (before[..., 2] - before[..., 1]))
    torch.testing.assert_close(after[..., 1], before[..., 1])
