"""A bundle's answers on a cluster: a class for Ray Data's map_batches, which loads the bundle once an actor.

    reviews = ray.data.read_parquet("s3://…/reviews")
    answers = reviews.map_batches(
        Predictor, fn_constructor_kwargs={"bundle": "/shared/runs/reviews"},
        batch_format="pyarrow", batch_size=4_000, compute=ray.data.ActorPoolStrategy(size=8),
    )

Where a row is a step of a sequence (forecasts, long tables), the rows of one sequence must come together:
`dataset.groupby("id").map_groups(Predictor, …, batch_format="pyarrow")`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import recurra
from recurra.tasks.base import Apart, Parted

if TYPE_CHECKING:
    import pyarrow as pa

# Names of examples that have none count the rows of a batch, which say nothing of those of the data set.
COUNTED = "example"


class Predictor:
    """Gives a batch's answers as a table; beside the batch's own columns, where rows answer rows.

    bundle: a folder that every worker can read.
    """

    def __init__(self, bundle: str | os.PathLike[str]) -> None:
        self.bundle = recurra.load(bundle)
        task = self.bundle.task
        self.apart = (
            task.apart(self.bundle.config, self.bundle.schema)
            if isinstance(task, Parted)
            else Apart("nothing")
        )

    def __call__(self, batch: Any) -> pa.Table:
        """batch: a pyarrow table or a pandas frame."""
        import pyarrow as pa  # noqa: PLC0415, Ray brings it

        table = batch if isinstance(batch, pa.Table) else pa.Table.from_pandas(batch, preserve_index=False)
        found: pa.Table = self.bundle.predict(table).to_arrow()
        if self.apart.by != "rows" or len(found) != len(table):
            return found
        for name in found.column_names:
            if name != COUNTED and name not in table.column_names:
                table = table.append_column(name, found[name])
        return table
