"""What is heard: beside torch.stft and float64, and the same bits however a recording is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.tasks.transcribe.augment import log_mel, masked, noisy, other
from recurra.tasks.transcribe.features import (
    FLOOR,
    PRIOR,
    REACH,
    STACK,
    LogMel,
    Normal,
    lengths,
    logarithm,
    mel,
    stacked,
    step_seconds,
    steps,
)

EPS = np.finfo(np.float32).eps


def sound(many: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(many) / 8000
    return (0.3 * np.sin(2 * np.pi * 440 * t) + 0.05 * rng.standard_normal(many)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000])
def test_energies_are_those_of_torch_stft(rate: int) -> None:
    of, (window, hop) = LogMel(rate), lengths(rate)
    samples = sound(rate // 2)
    points = 2 ** int(np.ceil(np.log2(window)))
    hann = torch.hann_window(window, dtype=torch.float64)
    # torch puts the window in the middle of its frame; here it stands at the beginning.
    padded = torch.nn.functional.pad(torch.from_numpy(samples).double(), ((points - window) // 2, points))
    waved = torch.stft(padded, points, hop, window, hann, center=False, return_complex=True)
    power = waved.abs().square() / hann.square().sum()
    found = of(samples)
    expected = torch.log((of.bank.double() @ power).clamp(min=FLOOR))[:, : len(found)].T
    assert found.shape == (1 + (len(samples) - window) // hop, of.bands)
    assert np.abs(found - expected.numpy()).max() < 1e-3


def test_bands_are_triangles_on_the_mel_scale() -> None:
    bank = LogMel(16_000).bank.numpy()
    assert bank.shape == (80, 257)
    assert (bank >= 0).all()
    assert bank.max() <= 1
    assert (bank.sum(1) > 0).all()
    peaks = bank.argmax(1)
    assert (np.diff(peaks) >= 0).all()
    assert mel(1000) == pytest.approx(1000, rel=1e-3)


def test_a_warp_raises_all_frequencies() -> None:
    t = np.arange(8000) / 8000
    tone = (0.3 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32)
    loudest = [LogMel(8000, warp)(tone).mean(0).argmax() for warp in (0.85, 1.0, 1.15)]
    assert loudest[0] > loudest[1] > loudest[2]


def test_the_logarithm_is_good_to_the_last_bits() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate(
        [np.exp(rng.uniform(-60, 60, 100_000)), 1 + rng.uniform(-1e-3, 1e-3, 10_000), [1.0, FLOOR, 2.0]]
    ).astype(np.float32)
    exact = np.log(x.astype(np.float64))
    assert (np.abs(logarithm(x) - exact) <= 2 * EPS * np.maximum(np.abs(exact), 1e-2)).all()
    assert logarithm(np.ones(1, dtype=np.float32))[0] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3000), st.lists(st.integers(0, 3000), max_size=6))
def test_pieces_have_the_bits_of_the_whole(many: int, cuts: list[int]) -> None:
    samples, of = sound(many, many), LogMel(8000)
    _, hop = lengths(8000)
    normal = Normal(np.full(of.bands, -3, np.float32), np.full(of.bands, 2, np.float32))
    whole, last = normal(of(samples))
    held, found, mean, seen = samples[:0], [], None, 0
    for piece in np.split(samples, sorted(cuts)):
        held = np.concatenate([held, piece])
        frames = of(held)
        held = held[len(frames) * hop :]
        some, mean = normal(frames, mean, seen)
        seen += len(some)
        found.append(some)
    assert np.concatenate(found).tobytes() == whole.tobytes()
    assert mean is not None
    assert mean.tobytes() == last.tobytes()


def test_the_mean_follows_the_recording() -> None:
    first = np.zeros(2, np.float32)
    frames = np.tile(np.array([1, -4], np.float32), (20 * REACH, 1))
    found, mean = Normal(first, np.array([1, 2], np.float32))(frames)
    one = 1 / (PRIOR + 1)
    assert found[0] == pytest.approx([1 - one, (-4 + 4 * one) / 2])
    assert mean == pytest.approx([1, -4], rel=1e-3)
    assert np.abs(found[-1]).max() < 1e-2


def test_steps_are_counted_as_they_come() -> None:
    of, (window, hop) = LogMel(8000), lengths(8000)
    for many in (0, window - 1, window, window + 2 * hop - 1, window + 2 * hop, 8000, 8081):
        assert steps(many, 8000) == len(stacked(of(sound(many))))
    assert stacked(np.arange(14, dtype=np.float32).reshape(7, 2)).shape == (2, STACK * 2)
    assert step_seconds(8000) == pytest.approx(0.03)


def test_others_say_it_otherwise_and_the_same_draw_the_same() -> None:
    samples = sound(8000)
    once, again, else_ = (other(samples, 8000, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert once.tobytes() == again.tobytes()
    assert once.shape != else_.shape or not np.array_equal(once, else_)
    assert np.isfinite(once).all()
    plain = log_mel(8000)(samples)
    assert 0.8 * len(plain) < len(once) < 1.25 * len(plain)


def test_noise_is_as_loud_as_it_should_be() -> None:
    samples = sound(20_000)
    levels = []
    for seed in range(200):
        noise = noisy(samples, np.random.default_rng(seed)) - samples
        levels.append(10 * np.log10(np.mean(samples**2) / np.mean(noise.astype(np.float64) ** 2)))
    assert 4.8 < min(levels) < 7
    assert 38 < max(levels) < 40.2
    assert np.isfinite(noisy(np.zeros(100, np.float32), np.random.default_rng(0))).all()


def test_masks_leave_most_of_it() -> None:
    shares = []
    for seed in range(50):
        frames = masked(np.ones((200, 80), np.float32), np.random.default_rng(seed))
        shares.append(frames.mean())
        assert set(np.unique(frames)) <= {0.0, 1.0}
    assert 0.5 < np.mean(shares) < 0.95
    assert masked(np.ones((1, 40), np.float32), np.random.default_rng(0)).shape == (1, 40)
