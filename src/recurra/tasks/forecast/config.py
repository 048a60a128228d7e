"""The options of the forecaster. Each has a default that a run with none of them can live with."""

from __future__ import annotations

from pydantic import Field, field_validator

from recurra.tasks.base import TaskConfig

# The centre, and both ends of the 50, 80, 90 and 95 % intervals.
QUANTILES = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


class ForecastConfig(TaskConfig):
    """What to read from the files, what to forecast and how far."""

    target: tuple[str, ...] | None = Field(
        None,
        description="Columns to forecast. Found when not named: a column called y, target or value, "
        "else every column of numbers.",
    )
    time: str | None = Field(
        None, description="Column of time stamps. Found when not named; without one, rows are steps in order."
    )
    id: tuple[str, ...] | None = Field(
        None,
        description="Columns that say which series a row belongs to. Found when not named, "
        "where a time stamp occurs more than once.",
    )
    horizon: int | None = Field(
        None,
        ge=1,
        description="Steps to forecast. Chosen by the frequency when not given (M4's: 48 hours, 14 days, "
        "13 weeks, 18 months, 8 quarters, 6 years).",
    )
    past: tuple[str, ...] | None = Field(
        None, description="Columns known up to the present that help to forecast. None unless named."
    )
    future: tuple[str, ...] | None = Field(
        None,
        description="Columns known ahead of time (prices set, holidays): "
        "they must be there for the horizon when predicting.",
    )
    static: tuple[str, ...] | None = Field(
        None, description="Columns with one value for each series (shop type, region)."
    )
    frequency: str | None = Field(
        None,
        description='Step between rows, such as "1 hour", "15 minutes", "month". Found when not given. '
        "When given, times between two steps count as the nearest.",
    )
    season: tuple[int, ...] | None = Field(
        None, description="Lengths of the seasons in steps. Found when not given; 0 means none."
    )
    valid: int | None = Field(
        None,
        ge=0,
        description="Steps at the end of each series, before the test part, kept for validation. "
        "By default one horizon, or a tenth of a long series.",
    )
    test: int | None = Field(
        None,
        ge=0,
        description="Steps at the end of each series kept for the test; 0 for none. "
        "By default one horizon, or a fifth of a long series.",
    )
    quantiles: tuple[float, ...] = Field(
        QUANTILES, description="Quantiles to forecast, ascending, with the median (0.5) among them."
    )

    @field_validator("target", "id", "past", "future", "static", "season", "quantiles", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str | int | float) else value

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        inside = all(0 < q < 1 for q in value)
        if not inside or 0.5 not in value or list(value) != sorted(set(value)):
            raise ValueError(
                f"expected ascending quantiles between 0 and 1 with 0.5 among them, got {value}. "
                "Give others, such as (0.1, 0.5, 0.9)."
            )
        return value
