"""Times written as text."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from recurra.data.frequency import DAY, Array
from recurra.data.grids import find_frequency
from recurra.data.stamps import Problem, Stamps, to_days
from recurra.data.values import MISSING
from recurra.errors import DataError

CLOCK = (
    r"(?:[T ,]+(?P<H>\d{1,2})[:h-](?P<M>\d{2})(?:[:-](?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"\s*(?P<p>[AaPp]\.?[Mm]\.?)?)?\s*(?P<o>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
COMPACT_CLOCK = r"(?:[T ]?(?P<H>\d{2}):?(?P<M>\d{2}):?(?P<S>\d{2})?(?P<o>Z|[+-]\d{2}:?\d{2})?)?"
NAME = r"(?P<n>[A-Za-z]{3,9})\.?"
YEAR = r"(?P<y>\d{4})"
ANY_YEAR = r"(?P<y>\d{4}|'?\d{2})"
WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,?\s+)?"
DAY_OR_MONTH = r"^(?P<a>\d{1,2})(?P<sep>[-/. ])(?P<b>\d{1,2})[-/. ]" + ANY_YEAR + CLOCK + "$"
DAY_FIRST, MONTH_FIRST = "day/month/year", "month/day/year"
# The first form that all cells have is taken.
FORMS = {
    "year-month-day": "^" + YEAR + r"[-/. ](?P<m>\d{1,2})[-/. ](?P<d>\d{1,2})" + CLOCK + "$",
    "yearmonthday": "^" + YEAR + r"(?P<m>\d{2})(?P<d>\d{2})" + COMPACT_CLOCK + "$",
    DAY_FIRST: DAY_OR_MONTH,
    MONTH_FIRST: DAY_OR_MONTH,
    "year-month": "^" + YEAR + r"[-/ ]?[-/ Mm](?P<m>\d{1,2})$",
    "month/year": r"^(?P<m>\d{1,2})[-/ ]" + YEAR + "$",
    "quarter": "^" + YEAR + r"[-/ ]*[Qq](?P<q>[1-4])$",
    "quarter year": r"^[Qq](?P<q>[1-4])[-/ ]*" + YEAR + "$",
    "week": "^" + YEAR + r"-?W(?P<w>\d{1,2})(?:-?(?P<k>[1-7]))?$",
    "day name year": "^" + WEEKDAY + r"(?P<d>\d{1,2})[-/. ]*" + NAME + "[-/, ]*" + ANY_YEAR + CLOCK + "$",
    "name day year": "^"
    + WEEKDAY
    + NAME
    + r"[-/ ]*(?P<d>\d{1,2})(?:st|nd|rd|th)?,?[-/ ]+"
    + YEAR
    + CLOCK
    + "$",
    "name year": "^" + NAME + "[-/, ]*" + ANY_YEAR + "$",
    "year name": "^" + YEAR + "[-/ ]*" + NAME + "$",
}
NUMBER = re.compile(r"[+-]?\d*[.,]?\d*([eE][+-]?\d+)?$")
PATTERNS = [re.compile(form) for form in FORMS.values()]
NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Two-digit years below this one belong to the 2000s, as POSIX has it.
PIVOT = 69
# Cells by which a column of text is known for times, and the share that must look like one.
SAMPLE, MOSTLY = 200, 0.5
# Ambiguous dates are read the way that gives even steps: nearly no gaps, while the other way gives many.
EVEN, UNEVEN = 0.9, 0.5


def looks_like_time(cell: str) -> bool:
    """Whether a piece of text has one of the forms; 1990 and 20200131 may be any number."""
    if not 5 <= len(cell) <= 40 or NUMBER.match(cell) or not any(figure in cell for figure in "0123456789"):
        return False
    for pattern in PATTERNS:
        found = pattern.match(cell)
        if found and found.groupdict().get("n", "jan")[:3].lower() in NAMES:
            return True
    return False


def is_time(column: pl.Series) -> bool:
    """Whether a column holds times: typed ones, or text of which most cells are."""
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    if column.dtype != pl.String:
        return False
    known = [cell.strip() for cell in column.drop_nulls().head(SAMPLE).to_list()]
    known = [cell for cell in known if cell.lower() not in MISSING]
    if not any(looks_like_time(cell) for cell in known[:5]):
        return False
    return sum(looks_like_time(cell) for cell in known) > MOSTLY * len(known)


def parse_text(text: pl.Series, unique: pl.Series, problem: Problem, form: str | None) -> Stamps:
    """Text in the form that all cells have.

    text: (R,) stripped.  unique: its different cells.  form: as they were written before, which settles the
    order of day and month.
    """
    hits = {name: unique.str.contains(pattern) for name, pattern in FORMS.items()}
    best = max(hits, key=lambda name: int(hits[name].sum()))
    if not hits[best].all():
        cell = unique.filter(~hits[best])[0]
        like = [*unique.filter(hits[best]).head(1).to_list(), "2020-01-31 00:00"][0]
        raise problem(f"expected a time such as {like!r}, got {cell!r}. Correct the cell.", _row(text, cell))

    def problem_of(message: str, at: int) -> DataError:
        return problem(message, _row(text, unique[at]))

    fields = unique.str.extract_groups(FORMS[best]).struct.unnest()
    notes: tuple[str, ...] = ()
    if best in (DAY_FIRST, MONTH_FIRST):
        if form not in (DAY_FIRST, MONTH_FIRST):
            form, notes = _day_or_month(fields, unique, problem_of)
        best = form
        fields = _order(fields, best)
    wall = _value(fields, unique, problem_of)
    offset = _offsets(fields, unique, problem_of)
    where = pl.DataFrame({"cell": unique, "at": np.arange(len(unique))})
    at = (
        pl.DataFrame({"cell": text})
        .join(where, on="cell", how="left", maintain_order="left")["at"]
        .to_numpy()
    )
    if offset is None:
        return Stamps(wall[at], best, notes=notes)
    return Stamps((wall - offset)[at], best, "UTC", wall[at], notes)


def _row(text: pl.Series, cell: str) -> int:
    return int((text == cell).arg_true()[0])


def _order(fields: pl.DataFrame, form: str) -> pl.DataFrame:
    return fields.rename({"a": "d", "b": "m"} if form == DAY_FIRST else {"a": "m", "b": "d"})


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
    if "w" in fields.columns:
        return _weeks(fields, text, problem) * DAY
    month = _integers(fields, "m", 1)
    if "q" in fields.columns:
        month = _integers(fields, "q", 1) * 3 - 2
    if "n" in fields.columns:
        month = _named_months(fields["n"], text, problem)
    day = to_days(_years(fields), month, _integers(fields, "d", 1), problem, text)
    return np.asarray(day * DAY + _clock(fields, text, problem))


def _weeks(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> Array:
    """Days since 1970 of the days of ISO 8601 weeks: week 1 is the one with 4 January in it."""
    year, week = _years(fields), _integers(fields, "w", 1)

    def first_monday(which: Array) -> Array:
        fourth = (which - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64) + 3
        return np.asarray(fourth - (fourth + 3) % 7)

    monday = first_monday(year) + (week - 1) * 7
    bad = (week < 1) | (monday >= first_monday(year + 1))
    if bad.any():
        at = int(np.argmax(bad))
        raise problem(f"expected a week that exists, got {text[at]!r}. Correct the cell.", at)
    return np.asarray(monday + _integers(fields, "k", 1) - 1)


def _named_months(name: pl.Series, text: pl.Series, problem: Problem) -> Array:
    short = name.str.slice(0, 3).str.to_lowercase()
    wrong = (~short.is_in(list(NAMES))).arg_true()
    if len(wrong):
        at = int(wrong[0])
        raise problem(f"expected an English name of a month, got {text[at]!r}. Correct the cell.", at)
    return np.array([NAMES.index(one) + 1 for one in short.to_list()], dtype=np.int64)


def _clock(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> Array:
    """Microseconds after midnight."""
    hour, minute, second = (_integers(fields, name, 0) for name in "HMS")
    if "p" in fields.columns:
        half = fields["p"].str.slice(0, 1).str.to_lowercase().fill_null("")
        hour = np.where((half == "p").to_numpy() & (hour < 12), hour + 12, hour)
        hour = np.where((half == "a").to_numpy() & (hour == 12), 0, hour)
    bad = (hour > 24) | (minute > 59) | (second > 59) | ((hour == 24) & (minute + second > 0))
    if bad.any():
        at = int(np.argmax(bad))
        raise problem(f"expected a time of day up to 24:00, got {text[at]!r}. Correct the cell.", at)
    micro = np.zeros(len(fields), dtype=np.int64)
    if "f" in fields.columns:
        micro = fields["f"].fill_null("0").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).to_numpy()
    return np.asarray(((hour * 60 + minute) * 60 + second) * 1_000_000 + micro)


def _offsets(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> Array | None:
    """Microseconds that each clock is ahead of UTC; None where no time says so."""
    if "o" not in fields.columns or fields["o"].null_count() == len(fields):
        return None
    offset = fields["o"]
    if offset.null_count():
        at, other = int(offset.is_null().arg_true()[0]), text.filter(offset.is_not_null())[0]
        raise problem(
            f"expected an offset from UTC as in {other!r}, got {text[at]!r} without one. "
            "Write all times with an offset or all without.",
            at,
        )
    parts = offset.str.extract_groups(r"^(?P<s>[+-])(?P<h>\d{2}):?(?P<m>\d{2})?$").struct.unnest()
    sign = np.where((parts["s"] == "-").fill_null(False).to_numpy(), -1, 1)
    return np.asarray(sign * (_integers(parts, "h", 0) * 60 + _integers(parts, "m", 0)) * 60_000_000)


def _day_or_month(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> tuple[str, tuple[str, ...]]:
    """Which of the two figures is the day: from all rows, from dots, else from which gives even steps."""
    a, b = _integers(fields, "a", 1), _integers(fields, "b", 1)
    day_first, month_first = a > 12, b > 12
    if day_first.any() and month_first.any():
        one, other = int(np.argmax(day_first)), int(np.argmax(month_first))
        raise problem(
            f"expected day and month in the same order as in {text[min(one, other)]!r}, "
            f"got {text[max(one, other)]!r}. Write dates as 2020-01-31.",
            max(one, other),
        )
    if day_first.any() or (not month_first.any() and fields["sep"][0] == "."):
        return DAY_FIRST, ()
    if month_first.any():
        return MONTH_FIRST, ()
    even = {form: _evenness(_order(fields, form), text, problem) for form in (DAY_FIRST, MONTH_FIRST)}
    better = max(even, key=lambda form: even[form])
    if even[better] > EVEN and min(even.values()) < UNEVEN:
        return better, (f"dates: read as {better}, which gives even steps",)
    raise problem(
        f"expected dates that show which figure is the day, got {text[0]!r} and the like. "
        "Write them as 2020-01-31.",
        0,
    )


def _evenness(fields: pl.DataFrame, text: pl.Series, problem: Problem) -> float:
    """Share of the grid's steps that have a row, 0 without a grid."""
    value = np.unique(_value(fields, text, problem))
    frequency, off = find_frequency(np.zeros(len(value), dtype=np.int64), value, steps=False)
    if frequency is None or off.any():
        return 0.0
    index = frequency.to_index(value)[0]
    return len(value) / float(index[-1] - index[0] + 1)
