"""What more than one command takes: a bundle, files, a file to write."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

BundleFolder = Annotated[str, Parameter(name="BUNDLE", help="Folder that `recurra fit` has written.")]
Files = Annotated[
    list[str],
    Parameter(
        name="FILE",
        help="CSV, Parquet or NDJSON (classify: .ts, .arff or a folder, too; language: text; translate: two "
        "files of lines, too; transcribe, caption: folders, recordings or pictures and their texts, too); "
        "several as one.",
    ),
]
Table = Annotated[
    str | None,
    Parameter(
        help="File to write, by its ending: .csv, .parquet, .ndjson or .json [default: CSV to stdout].",
        metavar="FILE",
    ),
]


def one_or_many(source: list[str]) -> str | list[str]:
    """A lone file by itself, as `recurra.fit` and bundles take it."""
    return source[0] if len(source) == 1 else source
