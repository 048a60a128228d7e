"""The training loop: any task, any model, and after a crash the same bits as if there had been none."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra.errors import Stopped, TrainingError
from recurra.tasks.base import Task, Validation
from recurra.train import checkpoint as checkpoints
from recurra.train.distributed import Peers
from recurra.train.progress import Log, Reporter
from recurra.train.schedule import averaging, learning_rate
from recurra.train.signals import Signals
from recurra.train.state import State
from recurra.train.tree import detach

CHECKPOINT_SECONDS = 2.0  # between two checkpoints, or longer where writing one
CHECKPOINT_SHARE = 0.02  # would take more than this part of the time
LOG_LINES = 1000  # of training loss, at most
TOLD_SECONDS = 1.0  # that preparing the model takes before it is worth a line


class Loop:
    """One run of training, in `folder`: checkpoint/ and log.jsonl.

    Raises TrainingError on a loss that is not finite, CheckpointError when a run cannot be gone on with, and
    Stopped after a signal, when the run has been saved.
    """

    def __init__(  # noqa: PLR0917
        self, task: Task, config: Any, data: Any, folder: Path, peers: Peers, reporter: Reporter
    ) -> None:
        self.task, self.config, self.data, self.peers, self.reporter = task, config, data, peers, reporter
        self.checkpoints = folder / "checkpoint"
        self.log_path = folder / "log.jsonl" if peers.first else None
        self.plan = task.plan(config, data)
        self.state = State(task.build(config, data.schema), self.plan)
        self.keys: Sequence[Any] = ()
        self.identity = {
            "task": task.name,
            "options": config.model_dump(mode="json"),
            "data": data.sha256,
            "plan": asdict(self.plan),
            "processes": peers.count,
        }

    def run(self, resume: bool) -> nn.Module:
        """Train to the end of the plan; returns the model with the weights that validated best."""
        fresh = not (resume and self._restore())
        if fresh:
            self._prepare()
        with Log(self.log_path, self.state.at.log_bytes) as self.log, Signals() as signals:
            self.saved, self.cost = time.monotonic(), 0.0
            if fresh:
                self._save()
            left = self.config.time_budget - self.state.at.seconds
            self.reporter.begin(self.state.at.step, self.plan.steps, left)
            try:
                self._train(signals)
            finally:
                self.reporter.end()
        at, model = self.state.at, self.state.averaged
        self.reporter.say(
            f"trained {at.step} steps in {at.seconds:.0f} s: {at.done}; "
            f"best validation loss {at.best:.4g} at step {at.best_step}"
        )
        model.load_state_dict(self.state.best)
        return model.eval()

    def _prepare(self) -> None:
        """Give the fresh model what it takes from the data; a run that goes on has it in its checkpoint."""
        before, state = time.monotonic(), self.state
        self.task.prepare(state.model, self.config, self.data)
        self.peers.same(state.model)
        state.averaged.load_state_dict(state.model.state_dict())
        took = time.monotonic() - before
        if took >= TOLD_SECONDS:
            self.reporter.say(f"prepared the model in {took:.0f} s")

    def _train(self, signals: Signals) -> None:
        at = self.state.at
        started = time.monotonic() - at.seconds
        while not at.done:
            late = time.monotonic() - started >= self.config.time_budget
            due = time.monotonic() - self.saved >= max(CHECKPOINT_SECONDS, self.cost / CHECKPOINT_SHARE)
            stop, late, due = self._step([signals.number > 0, late, due])
            at.seconds = time.monotonic() - started
            self._validate_when_due(late)
            if stop or due or at.done:
                self._save()
            if stop and not at.done:
                raise self._stopped(signals.number or signal.SIGTERM)

    def _step(self, flags: list[bool]) -> list[bool]:
        """One batch forward, backward, into the weights; `flags` come back as any process has raised them."""
        state, at = self.state, self.state.at
        key = self._next()
        part, weight = self.peers.share(key)
        rate = learning_rate(self.plan, at.step)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.model.train()
        state.optimizer.zero_grad()
        own = 0.0
        if weight:
            loss, state.carry = self.task.loss(state.model, self.task.batch(self.data, part), state.carry)
            loss.backward()  # type: ignore[no-untyped-call]
            own, state.carry = loss.item(), detach(state.carry)
        mean, flags = self.peers.mean(state.parameters, own, weight, flags)
        norm = float(nn.utils.clip_grad_norm_(state.parameters, self.plan.clip))
        if not (math.isfinite(mean) and math.isfinite(norm)):
            raise self._not_finite(key, mean, norm)
        state.optimizer.step()
        if self.plan.ema is not None:
            state.average(averaging(self.plan.ema, at.step))
        at.step += 1
        at.position += 1
        self._tell(mean, rate, norm)
        return flags

    def _next(self) -> Any:
        """The key of the next batch; a new epoch starts with no carried state."""
        at = self.state.at
        if at.position and at.position == len(self.keys):
            at.epoch, at.position, self.keys, self.state.carry = at.epoch + 1, 0, (), None
        if not len(self.keys):
            self.keys = self.task.epoch(self.config, self.data, at.epoch)
        if not len(self.keys):
            raise TrainingError(f"expected at least 1 batch in epoch {at.epoch}, got 0. Give more data.")
        return self.keys[at.position]

    def _tell(self, loss: float, rate: float, norm: float) -> None:
        at, steps = self.state.at, self.plan.steps
        at.losses.append(loss)
        if at.step % max(1, steps // LOG_LINES) == 0 or at.step == steps:
            mean = math.fsum(at.losses) / len(at.losses)
            at.losses.clear()
            self._log(loss=mean, rate=rate, norm=norm)
            self.reporter.step(at.step, steps, mean)

    def _log(self, **entry: float | str) -> None:
        at = self.state.at
        self.log.write(step=at.step, epoch=at.epoch, **entry, seconds=round(at.seconds, 3))

    def _validate_when_due(self, late: bool) -> None:
        """Validate where the plan says so, and see whether that was all."""
        at, plan = self.state.at, self.plan
        ends = at.step >= plan.steps
        if ends or late or at.step % plan.validate_every == 0:
            self._validate()
        if ends:
            at.done = "all that was planned"
        elif at.stale >= plan.patience:
            at.done = f"no better validation loss {at.stale} times in a row"
        elif late:
            at.done = (
                f"the time budget of {self.config.time_budget:g} s ran out, {plan.steps} steps were planned"
            )
        if at.done and at.best is None:
            raise TrainingError(
                f"expected a finite validation loss at least once in {at.step} steps, got none. "
                "Lower the learning rate, or look at the values in the validation part."
            )

    def _validate(self) -> None:
        state, at = self.state, self.state.at
        found = Validation(math.nan, "")
        if self.peers.first:
            state.averaged.eval()
            with torch.no_grad():
                told = self.task.validate(state.averaged, self.data)
            found = told if isinstance(told, Validation) else Validation(float(told), "")
        value = self.peers.tell(found.loss)
        if math.isfinite(value) and (at.best is None or value < at.best):
            at.best, at.best_step, at.stale = value, at.step, 0
            state.best = {name: w.detach().clone() for name, w in state.averaged.state_dict().items()}
        else:
            at.stale += 1
        best = math.nan if at.best is None else at.best
        self._log(valid=value, best=best, **({"sample": found.sample} if found.sample else {}))
        self.reporter.validated(best)

    def _save(self) -> None:
        before = time.monotonic()
        self.state.at.log_bytes = self.log.flush()
        captured = self.state.capture(self.identity, self.peers)
        if self.peers.first:
            checkpoints.save(self.checkpoints, self.state.at.step, captured)
        self.saved = time.monotonic()
        self.cost = self.saved - before

    def _restore(self) -> bool:
        """Go back to the newest whole checkpoint; False when there is none."""
        saved, damaged = checkpoints.newest(self.checkpoints)
        for line in damaged:
            self.reporter.say(f"{line} The one before it is used.")
        if saved is None:
            self.reporter.say("nothing to resume yet: starting from the beginning")
            return False
        self.state.restore(saved, self.identity, self.peers)
        for name, now in {"torch": torch.__version__, "threads": torch.get_num_threads()}.items():
            if saved.state[name] != now:
                self.reporter.say(
                    f"started with {name} {saved.state[name]}, now {now}: results may differ in the last bits"
                )
        if self.state.at.position:
            self.keys = self.task.epoch(self.config, self.data, self.state.at.epoch)
        self.reporter.say(f"resuming at step {self.state.at.step} of {self.plan.steps}")
        return True

    def _stopped(self, number: int) -> Stopped:
        name = signal.Signals(number).name
        return Stopped(
            f"stopped by {name} after step {self.state.at.step} of {self.plan.steps}, which is saved in "
            f"{self.checkpoints}. Give the same command with --resume to go on.",
            number,
        )

    def _not_finite(self, key: Any, loss: float, norm: float) -> TrainingError:
        at = self.state.at
        what = f"loss, got {loss}" if not math.isfinite(loss) else f"gradient, got norm {norm}"
        batch = " ".join(str(key).split())
        batch = batch if len(batch) <= 80 else batch[:79] + "…"
        return TrainingError(
            f"expected a finite {what} at step {at.step}, batch {at.position} of epoch {at.epoch}: {batch}. "
            f"Look at that batch or lower the learning rate; the last good state is in {self.checkpoints}."
        )
