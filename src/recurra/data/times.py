"""Times as people write them: text in many forms, years, quarters, seconds since 1970, typed columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from recurra.data import numbers
from recurra.data.frequency import DAY, Array
from recurra.data.grids import find_frequency
from recurra.errors import DataError

Problem = Callable[[str, int], DataError]  # (message, row) -> the error that names file, line and column

CLOCK = (
    r"(?:[T ,]+(?P<H>\d{1,2})[:h-](?P<M>\d{2})(?:[:-](?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s*(?P<p>[AaPp]\.?[Mm]\.?)?)?\s*(?P<o>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
COMPACT_CLOCK = r"(?:[T ]?(?P<H>\d{2}):?(?P<M>\d{2}):?(?P<S>\d{2})?(?P<o>Z|[+-]\d{2}:?\d{2})?)?"
NAME = r"(?P<n>[A-Za-z]{3,9})\.?"
YEAR = r"(?P<y>\d{4})"
ANY_YEAR = r"(?P<y>\d{4}|'?\d{2})"
WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,?\s+)?"
TWO_FIGURES = r"^(?P<a>\d{1,2})(?P<sep>[-/. ])(?P<b>\d{1,2})[-/. ]" + ANY_YEAR + CLOCK + "$"
# The first form that all cells have is taken.
FORMS = {
    "year-month-day": "^" + YEAR + r"[-/. ](?P<m>\d{1,2})[-/. ](?P<d>\d{1,2})" + CLOCK + "$",
    "yearmonthday": "^" + YEAR + r"(?P<m>\d{2})(?P<d>\d{2})" + COMPACT_CLOCK + "$",
    "day/month/year": TWO_FIGURES,
    "month/day/year": TWO_FIGURES,
    "year-month": "^" + YEAR + r"[-/. ]?[-/. Mm](?P<m>\d{1,2})$",
    "month/year": r"^(?P<m>\d{1,2})[-/. ]" + YEAR + "$",
    "quarter": "^" + YEAR + r"[-/ ]*[Qq](?P<q>[1-4])$",
    "quarter year": r"^[Qq](?P<q>[1-4])[-/ ]*" + YEAR + "$",
    "week": "^" + YEAR + r"-?W(?P<w>\d{1,2})(?:-?(?P<k>[1-7]))?$",
    "day name year": "^" + WEEKDAY + r"(?P<d>\d{1,2})[-/. ]*" + NAME + r"[-/, ]*" + ANY_YEAR + CLOCK + "$",
    "name day year": "^"
    + WEEKDAY
    + NAME
    + r"[-/ ]*(?P<d>\d{1,2})(?:st|nd|rd|th)?,?[-/ ]+"
    + YEAR
    + CLOCK
    + "$",
    "name year": "^" + NAME + r"[-/, ]*" + ANY_YEAR + "$",
    "year name": "^" + YEAR + r"[-/ ]*" + NAME + "$",
}
NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Whole numbers that are times: how many per second since 1970, and the range that is believed (1980 to 2100).
EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EPOCH_RANGE = (315_532_800, 4_102_444_800)
YEARS = (1500, 2200)
# Two-digit years below this one belong to the 2000s, as POSIX has it.
PIVOT = 69


@dataclass(frozen=True, slots=True)
class Stamps:
    """The times of R rows.

    value: (R,) int64, microseconds since 1970, in UTC where `zone` is given; step numbers for the form "step".
    wall: (R,) int64, what the clock of the place showed, where that differs from UTC.
    form: how the times are written, enough to read later files alike.
    """

    value: Array
    form: str
    zone: str | None = None
    wall: Array | None = None
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> bool:
        """Whether the times are mere numbers of steps."""
        return self.form == "step"


def looks_like_time(cell: str) -> bool:
    """Whether a piece of text has one of the forms (years alone are numbers)."""
    found = (re.match(form, cell.strip()) for form in FORMS.values())
    return any(match and _named(match) for match in found)


def _named(match: re.Match[str]) -> bool:
    name = match.groupdict().get("n")
    return name is None or name[:3].lower() in NAMES


def is_time(column: pl.Series) -> bool:
    """Whether a column holds times for certain: typed ones, or text of which nearly every cell is a time."""
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    if column.dtype != pl.String:
        return False
    known = column.drop_nulls().head(200).to_list()
    meant = [looks_like_time(cell) for cell in known if cell.strip().lower() not in numbers.MISSING]
    return len(meant) > 0 and sum(meant) >= 0.9 * len(meant)


def parse_times(column: pl.Series, problem: Problem, form: str | None = None) -> Stamps:
    """Read a column of times, in the form given if there is one. Raises the DataErrors that `problem` makes."""
    empty = numbers.missing(column) if column.dtype == pl.String else column.is_null()
    if empty.any():
        raise problem("expected a time in every row, got none. Fill it in or remove the row.", _first(empty))
    if column.dtype in (pl.Date, pl.Datetime):
        return _typed(column, problem)
    if column.dtype == pl.String:
        stripped = column.str.strip_chars()
        number = stripped.cast(pl.Float64, strict=False)
        if number.null_count() == 0 and (form is None or form not in FORMS):
            column = stripped
        else:
            return _text(stripped, problem, form)
    return _figures(column, problem, form)


def _first(mask: pl.Series) -> int:
    return int(mask.arg_true()[0])


def _typed(column: pl.Series, problem: Problem) -> Stamps:
    if column.dtype == pl.Date:
        return Stamps(column.cast(pl.Datetime("us")).to_physical().to_numpy(), "date")
    unit, zone = column.dtype.time_unit, column.dtype.time_zone  # type: ignore[attr-defined]
    if unit == "ns":
        fine = column.to_physical() % 1000 != 0
        if fine.any():
            raise problem("expected times of whole microseconds, got finer ones. Round them.", _first(fine))
    column = column.dt.cast_time_unit("us")
    value = column.to_physical().to_numpy()
    if zone is None:
        return Stamps(value, "datetime")
    wall = column.dt.replace_time_zone(None).to_physical().to_numpy()
    return Stamps(value, "datetime", zone, wall)


def _figures(column: pl.Series, problem: Problem, form: str | None) -> Stamps:
    """Numbers: 20200131, years, seconds since 1970 or steps."""
    number = column.cast(pl.Float64).to_numpy()
    if not np.isfinite(number).all():
        raise problem("expected a finite time, got one that is not.", int(np.argmin(np.isfinite(number))))
    whole = (number == np.floor(number)).all()
    text = column.dtype == pl.String
    value = (
        column.cast(pl.Int64, strict=False).fill_null(0).to_numpy()
        if whole and text and column.cast(pl.Int64, strict=False).null_count() == 0
        else (column.cast(pl.Int64).to_numpy() if whole and not text else np.round(number).astype(np.int64))
    )
    form = form or _figure_form(value, number, bool(whole))
    if form == "year":
        months = (value - 1970).astype("datetime64[Y]")
        return Stamps(months.astype("datetime64[us]").astype(np.int64), form)
    if form in ("yearmonthday", "yearmonth"):
        padded = value * 100 + 1 if form == "yearmonth" else value
        day = padded % 100
        return Stamps(_date(padded // 10_000, padded // 100 % 100, day, problem) * DAY, form)
    if form in EPOCHS:
        micro = number * 1e6 / EPOCHS[form] if not whole else value.astype(np.float64)
        if whole:
            micro = value * (10**6 // EPOCHS[form]) if EPOCHS[form] <= 10**6 else value // 1000
        return Stamps(np.round(micro).astype(np.int64), form, "UTC")
    if not whole:
        bad = int(np.argmax(number != np.floor(number)))
        raise problem(f"expected a whole number or a time, got {number[bad]}. Name another time column.", bad)
    return Stamps(value, "step")


def _figure_form(value: Array, number: Array, whole: bool) -> str:
    low, high = int(value.min()), int(value.max())
    for form, scale in EPOCHS.items():
        if low >= EPOCH_RANGE[0] * scale and high <= EPOCH_RANGE[1] * scale:
            return form
    if not whole:
        return "step"
    if YEARS[0] <= low and high <= YEARS[1]:
        return "year"
    month = value // 100 % 100
    day = value % 100
    if YEARS[0] * 10_000 <= low and high <= YEARS[1] * 10_000:
        if ((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all():
            return "yearmonthday"
    elif YEARS[0] * 100 <= low and high <= YEARS[1] * 100 and ((day >= 1) & (day <= 12)).all():
        return "yearmonth"
    return "step"


def _text(text: pl.Series, problem: Problem, form: str | None) -> Stamps:
    """Text in the form that all cells have."""
    unique = text.unique(maintain_order=True)
    candidates = [form] if form in FORMS else list(FORMS)
    hits = {name: unique.str.contains(FORMS[name]) for name in candidates}
    best = max(candidates, key=lambda name: hits[name].sum())
    if not hits[best].all():
        row = _first(text == unique[_first(~hits[best])])
        like = unique.filter(hits[best]).head(1).to_list() or ["2020-01-31 00:00"]
        raise problem(f"expected a time such as {like[0]!r}, got {text[row]!r}. Correct the cell.", row)

    def problem_of(message: str, at: int) -> DataError:
        return problem(message, _first(text == unique[at]))

    fields = unique.str.extract_groups(FORMS[best]).struct.unnest()
    notes: tuple[str, ...] = ()
    if best in ("day/month/year", "month/day/year"):
        if form is None:
            best, notes = _day_or_month(fields, unique, problem_of)
        fields = fields.rename({"a": "d", "b": "m"} if best == "day/month/year" else {"a": "m", "b": "d"})
    wall = _value(fields, unique, problem_of)
    offset = _offsets(fields, unique, problem_of)
    at = (
        pl.DataFrame({"text": text})
        .join(
            pl.DataFrame({"text": unique, "at": np.arange(len(unique))}),
            on="text",
            how="left",
            maintain_order="left",
        )["at"]
        .to_numpy()
    )
    if offset is None:
        return Stamps(wall[at], best, notes=notes)
    return Stamps((wall - offset)[at], best, "UTC", wall[at], notes)


def _integers(fields: pl.DataFrame, name: str, default: int) -> Array:
    if name not in fields.columns:
        return np.full(len(fields), default, dtype=np.int64)
    return fields[name].cast(pl.Int64).fill_null(default).to_numpy()


def _years(fields: pl.DataFrame) -> Array:
    text = fields["y"].str.strip_prefix("'")
    year = text.cast(pl.Int64).to_numpy()
    short = (text.str.len_chars() == 2).to_numpy()
    return np.where(short, np.where(year < PIVOT, 2000, 1900) + year, year)


def _value(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> Array:
    """Microseconds since 1970 on the clock that the text shows."""
    year = _years(fields)
    if "w" in fields.columns:
        week = _integers(fields, "w", 1)
        # Week 1 is the one with 4 January in it (ISO 8601).
        fourth = ((year - 1970).astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 3
        monday = fourth - (fourth + 3) % 7
        return np.asarray((monday + (week - 1) * 7 + _integers(fields, "k", 1) - 1) * DAY)
    month = _integers(fields, "m", 1)
    if "q" in fields.columns:
        month = _integers(fields, "q", 1) * 3 - 2
    if "n" in fields.columns:
        name = fields["n"].str.slice(0, 3).str.to_lowercase()
        known = name.is_in(list(NAMES))
        if not known.all():
            at = _first(~known)
            raise problem(f"expected an English name of a month, got {text[at]!r}. Correct the cell.", at)
        month = np.array([NAMES.index(short) + 1 for short in name.to_list()], dtype=np.int64)
    day = _date(year, month, _integers(fields, "d", 1), problem, text)
    hour, minute, second = (_integers(fields, name, 0) for name in "HMS")
    if "p" in fields.columns:
        half = fields["p"].str.slice(0, 1).str.to_lowercase()
        hour = np.where((half == "p").fill_null(False).to_numpy() & (hour < 12), hour + 12, hour)
        hour = np.where((half == "a").fill_null(False).to_numpy() & (hour == 12), 0, hour)
    bad = (hour > 24) | (minute > 59) | (second > 59) | ((hour == 24) & (minute + second > 0))
    if bad.any():
        at = int(np.argmax(bad))
        raise problem(f"expected a time of day up to 24:00, got {text[at]!r}. Correct the cell.", at)
    micro = np.zeros(len(fields), dtype=np.int64)
    if "f" in fields.columns:
        micro = fields["f"].fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).to_numpy()
    return np.asarray(day * DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro)


def _date(year: Array, month: Array, day: Array, problem: Problem, text: pl.Series | None = None) -> Array:
    """Days since 1970."""
    start = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first = start.astype("datetime64[D]").astype(np.int64)
    size = (start + 1).astype("datetime64[D]").astype(np.int64) - first
    bad = (month < 1) | (month > 12) | (day < 1) | (day > size)
    if bad.any():
        at = int(np.argmax(bad))
        got = f"{year[at]}-{month[at]:02}-{day[at]:02}" if text is None else repr(text[at])
        raise problem(f"expected a day that exists, got {got}. Correct the cell.", at)
    return np.asarray(first + day - 1)


def _offsets(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> Array | None:
    """Microseconds that each clock is ahead of UTC; None where no time says so."""
    if "o" not in fields.columns or fields["o"].null_count() == len(fields):
        return None
    offset = fields["o"]
    if offset.null_count():
        at, other = _first(offset.is_null()), text[_first(offset.is_not_null())]
        raise problem(
            f"expected an offset from UTC as in {other!r}, got {text[at]!r} without one. "
            "Write all times with an offset or all without.",
            at,
        )
    parts = offset.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})?$").struct.unnest()
    sign = np.where((parts[parts.columns[0]] == "-").fill_null(False).to_numpy(), -1, 1)
    hours, minutes = (parts[name].cast(pl.Int64).fill_null(0).to_numpy() for name in parts.columns[1:])
    return np.asarray(sign * (hours * 60 + minutes) * 60_000_000)


def _day_or_month(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> tuple[str, tuple[str, ...]]:
    """Which of the two figures is the day: from all rows, from dots, else from which gives even steps."""
    a, b = _integers(fields, "a", 1), _integers(fields, "b", 1)
    day_first, month_first = bool((a > 12).any()), bool((b > 12).any())
    if day_first and month_first:
        at = int(np.argmax(b > 12)) if np.argmax(a > 12) < np.argmax(b > 12) else int(np.argmax(a > 12))
        other = text[int(np.argmax((a > 12) if b[at] > 12 else (b > 12)))]
        raise problem(
            f"expected day and month in the same order as in {other!r}, got {text[at]!r}. "
            "Write dates as 2020-01-31.",
            at,
        )
    if day_first or (not month_first and fields["sep"][0] == "."):
        return "day/month/year", ()
    if month_first:
        return "month/day/year", ()
    even = {
        "day/month/year": _fill(fields.rename({"a": "d", "b": "m"}), text, problem),
        "month/day/year": _fill(fields.rename({"a": "m", "b": "d"}), text, problem),
    }
    better = max(even, key=lambda name: even[name])
    if even[better] > 0.9 and min(even.values()) < 0.5:
        return better, (f"dates: read as {better}, which gives even steps",)
    raise problem(
        f"expected dates that show which figure is the day, got {text[0]!r} and the like. "
        "Write them as 2020-01-31.",
        0,
    )


def _fill(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> float:
    """Share of the grid's steps that have a row, 0 without a grid."""
    value = np.unique(_value(fields, text, problem))
    frequency, off = find_frequency(np.zeros(len(value), dtype=np.int64), value, steps=False)
    if frequency is None or off.any():
        return 0.0
    index = frequency.to_index(value)[0]
    return len(value) / float(index[-1] - index[0] + 1)
