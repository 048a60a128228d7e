"""Rows that belong together: which series or sequence each row is a step of."""

from __future__ import annotations

import numpy as np
import polars as pl

from recurra.data.frequency import Array
from recurra.data.tables import Table


def group_rows(table: Table, ids: tuple[str, ...]) -> tuple[list[str], Array]:
    """Names of the groups in order of appearance, and the group of each row, (R,) int64."""
    if not ids:
        return [""], np.zeros(len(table.frame), dtype=np.int64)
    keys = table.frame.select(pl.col(column).cast(pl.String).str.strip_chars() for column in ids)
    for column in ids:
        if keys[column].null_count():
            row = int(keys[column].is_null().arg_true()[0])
            raise table.error(
                "expected an id in every row, got none. Fill it in or remove the row.", row, column
            )
    unique = keys.unique(maintain_order=True)
    numbered = unique.with_columns(pl.Series("\0group", np.arange(len(unique))))
    group = keys.join(numbered, on=list(ids), how="left", maintain_order="left")["\0group"].to_numpy()
    return ["/".join(key) for key in unique.rows()], group
