"""The captioner's network: shapes, the same bits, gradients, and its regularisers beside their formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("PIL", reason="pictures need Pillow")

from things import SMALL, write_things

from recurra.data.tokens import BORDER
from recurra.decode.attending import Steps
from recurra.decode.beam import Beam
from recurra.fit import configure
from recurra.nn.convolution import Conv2d, GroupNorm
from recurra.tasks.caption.augment import normal, otherwise
from recurra.tasks.caption.captioning import captioned
from recurra.tasks.caption.config import CaptionConfig
from recurra.tasks.caption.data import CaptionData, read_pictures
from recurra.tasks.caption.model import EVEN, KNOWN, Batch, Captioner
from recurra.tasks.caption.shape import Shape, products, sizes
from recurra.tasks.caption.task import Caption, batch_of

VARIANTS: list[dict[str, Any]] = [{}, {"cell": "GRU"}, {"cell": "RNN", "attention": "bahdanau"}]


def made(folder: Path, **options: Any) -> tuple[CaptionData, Captioner]:
    config = configure(CaptionConfig, {**SMALL, **options})
    data = read_pictures(config, write_things(folder / "pictures"))
    torch.manual_seed(0)
    model = Caption().build(config, data.schema)
    Caption().prepare(model, config, data)
    torch.manual_seed(1)
    with torch.no_grad():
        for one in model.parameters():
            one.normal_(std=0.2)
    return data, model


def some(data: CaptionData, rows: np.ndarray[Any, Any]) -> Batch:
    return batch_of(data.train, rows, [data.train.captions_of(int(n)) for n in rows])


@pytest.mark.parametrize(
    ("kernel", "step", "around"), [(3, 1, 1), (3, 2, 1), (1, 1, 0), (1, 2, 0), (5, 2, 2)]
)
@pytest.mark.parametrize("size", [(7, 9), (8, 8)])
def test_a_convolution_without_gradients_is_torchs(
    kernel: int, step: int, around: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    layer = Conv2d(5, 6, kernel, step, around).double()
    x = torch.randn(4, 5, *size, dtype=torch.float64)
    expected = F.conv2d(x, layer.weight, layer.bias, step, around)
    torch.testing.assert_close(layer(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected)
    single = layer.float()
    with torch.no_grad():
        whole = single(x.float())
        for n in range(4):
            assert torch.equal(single(x.float()[n : n + 1])[0], whole[n])


def test_a_group_norm_without_gradients_is_torchs() -> None:
    torch.manual_seed(0)
    layer = GroupNorm(3, 12)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = 5 + 3 * torch.randn(4, 12, 5, 6)
    expected = F.group_norm(x.double(), 3, layer.weight.double(), layer.bias.double()).float()
    torch.testing.assert_close(layer(x), expected)
    with torch.no_grad():
        whole = layer(x)
        torch.testing.assert_close(whole, expected)
        assert torch.equal(layer(x[2:3])[0], whole[2])


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_steps_are_the_whole(options: dict[str, Any], tmp_path: Path) -> None:
    data, model = made(tmp_path, **options)
    model.eval()
    rows = np.arange(4)
    batch = some(data, rows)
    first = [int(np.flatnonzero(batch.of.numpy() == n)[0]) for n in rows]
    with torch.no_grad():
        read, weights = model(batch)
        expected = F.log_softmax(model.words.logits(read), -1)
        memory, state = model.look(batch.seen)
    steps = Steps(model)
    steps.begin(list(zip(memory.values, memory.keys, strict=True)), state)
    tokens, at = torch.full((4,), BORDER), torch.arange(4)
    for t in range(int(batch.lengths[first].min())):
        scores, attention = steps.step(at, range(4), tokens)
        torch.testing.assert_close(scores, expected[first, t], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(torch.cat(attention), weights[first, t], rtol=1e-4, atol=1e-5)
        tokens = batch.target[first, t]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_a_picture_has_the_same_caption_beside_any(options: dict[str, Any], tmp_path: Path) -> None:
    data, model = made(tmp_path, **options)
    seen = data.train.pictures.look(np.arange(9))
    whole = list(captioned(model, data.schema, seen, Beam(3, best=2)))
    for n in (0, 4, 8):
        ((alone, second),) = captioned(model, data.schema, seen[n : n + 1], Beam(3, best=2))
        assert (alone.tokens, alone.score) == (whole[n][0].tokens, whole[n][0].score)
        assert (second.tokens, second.score) == (whole[n][1].tokens, whole[n][1].score)
        np.testing.assert_array_equal(alone.attention, whole[n][0].attention)


def test_threads_do_not_change_a_caption(tmp_path: Path) -> None:
    data, model = made(tmp_path)
    seen, before = data.train.pictures.look(np.arange(3)), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append([one[0] for one in captioned(model, data.schema, seen, Beam(3))])
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert (one.tokens, one.score) == (other.tokens, other.score)


def test_the_loss_is_that_of_the_papers(tmp_path: Path) -> None:
    """Nats of all tokens, Xu et al.'s eq. 14 and the cross-entropy of each word, in plain loops."""
    data, model = made(tmp_path, smoothing=0.0, dropout=0.0)
    model.eval()  # no augmentation
    rows = np.arange(3)
    batch = some(data, rows)
    with torch.no_grad():
        read, weights = model(batch)
        logs = F.log_softmax(model.words.logits(read), -1).double()
        logits = model.known(model.features(batch.seen).mean(1)).double()
        found = float(model.loss(batch))
    nats, uneven, many = 0.0, [], 0
    for n, length in enumerate(batch.lengths.tolist()):
        told = [*batch.target[n, :length].tolist(), BORDER]
        nats -= sum(float(logs[n, t, token]) for t, token in enumerate(told))
        many += len(told)
        parts = weights[n, : len(told)].double()
        share = len(told) / parts.shape[1]
        uneven.append(sum((share - float(parts[:, i].sum())) ** 2 for i in range(parts.shape[1])) / len(told))
    unknown = there = 0.0
    for n in range(3):
        captions = [
            set(batch.target[m, : batch.lengths[m]].tolist()) for m in torch.nonzero(batch.of == n)[:, 0]
        ]
        for token in range(len(data.schema.tokens)):
            share = sum(token in one for one in captions) / len(captions) if token > 1 else 0.0
            chance = torch.sigmoid(logits[n, token]).item()
            unknown -= share * np.log(chance) + (1 - share) * np.log1p(-chance)
            there += share
    expected = nats / many + EVEN * np.mean(uneven) + KNOWN * unknown / there
    assert found == pytest.approx(expected, rel=1e-5)


def test_every_weight_learns(tmp_path: Path) -> None:
    data, model = made(tmp_path)
    model.train()
    model.loss(some(data, np.arange(4))).backward()
    for name, one in model.named_parameters():
        assert one.grad is not None, name
        assert float(one.grad.abs().max()) > 0, name


def test_pictures_otherwise_stay_pictures() -> None:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (16, 32, 32, 3), dtype=torch.uint8)
    x = normal(pixels)
    found = otherwise(x)
    assert found.shape == x.shape
    assert found.isfinite().all()
    assert not torch.equal(found, x)
    plain = normal(torch.full((8, 32, 32, 3), 200, dtype=torch.uint8))
    # A plain picture has no place and no side: colours alone change, the same everywhere.
    assert float(otherwise(plain).std((2, 3)).max()) < 1e-5


def test_sizes_grow_with_time_and_pictures() -> None:
    def of(budget: str, pictures: int) -> Shape:
        config = configure(CaptionConfig, {"time_budget": budget})
        return sizes(
            config,
            vocabulary=2_000,
            pictures=pictures,
            captions=5 * pictures,
            tokens=60 * pictures,
            largest=128,
        )

    short, long, more = of("2m", 6_000), of("3h", 6_000), of("3h", 30_000)
    assert short.side < long.side
    assert products(short.side, short.widths) < products(long.side, long.widths)
    assert more.passes < long.passes
    assert of("1s", 100_000).passes > 0
