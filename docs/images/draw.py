"""Draw the picture of the README from the bundle that `make demo` leaves: python docs/images/draw.py."""

from pathlib import Path

import numpy as np
import torch

import recurra
from recurra.report.figures import standalone
from recurra.tasks.forecast import pictures

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Write forecast.svg: the window whose error is the middle one of all."""
    bundle = recurra.load(ROOT / "runs" / "demo")
    data = bundle.task.read(bundle.config, ROOT / "examples" / "data" / "births.csv")
    with torch.no_grad():
        detail = bundle.task.evaluate(bundle.model, bundle.config, data).detail
    error = pictures.error(detail, detail.metric)
    middle = int(np.argsort(error)[len(error) // 2])
    figure = pictures.forecast(detail, middle, wide=True, legend=True)
    (Path(__file__).parent / "forecast.svg").write_text(
        standalone(figure.svg), encoding="utf-8", newline="\n"
    )


if __name__ == "__main__":
    main()
