"""What `explain` found, and how it prints."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Explained:
    """One recurrent module: the engine that runs it, and why each other one does not."""

    name: str  # in the model; "" for the model itself
    module: str
    engine: str | None  # None: no engine of Recurra's runs it
    why: str = ""
    others: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.name or '(the model)'}: {self.module}"]
        lines += [f"  runs on {self.engine}{self.why and ', '}{self.why}" if self.engine else f"  {self.why}"]
        return "\n".join(lines + [f"  not {name}: {why}" for name, why in self.others.items()])


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every recurrent module of a model, in the model's order. Print it."""

    modules: tuple[Explained, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.modules)) or "No recurrent module in this model."

    __repr__ = __str__
