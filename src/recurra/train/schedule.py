"""How fast to learn, step by step."""

from __future__ import annotations

import math

from recurra.tasks.base import Plan

FLOOR = 0.01  # of the peak: where the cosine ends


def learning_rate(plan: Plan, step: int) -> float:
    """The rate of a step (from 0): linear warm-up, then a cosine to a hundredth (Loshchilov, Hutter 2017)."""
    if step < plan.warmup:
        return plan.learning_rate * (step + 1) / (plan.warmup + 1)
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.learning_rate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def averaging(decay: float, step: int) -> float:
    """The decay of the averaged weights after a step (from 0): less at first, with little to average."""
    return min(decay, (1 + step) / (10 + step))
