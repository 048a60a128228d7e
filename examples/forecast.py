"""Fit a forecaster on a small file, read its scores, forecast the next year.

python examples/forecast.py [folder [time budget]]
"""

import sys
from pathlib import Path

import recurra

DATA = Path(__file__).parent / "data" / "air_passengers.csv"


def main(out: str = "runs/air_passengers", time_budget: str = "2m") -> None:
    """Write a bundle and a report to `out`, and the forecast to `out`/forecast.csv."""
    bundle = recurra.fit("forecast", DATA, horizon=12, time_budget=time_budget, out=out, overwrite=True)

    print(*bundle.record["words"], sep="\n")
    for score in bundle.record["scores"]:
        print(f"{score['method']:<16} MAE {score['metrics']['MAE']:.1f}")

    forecast = bundle.predict(DATA)
    forecast.write_csv(Path(out) / "forecast.csv")
    print(forecast)


if __name__ == "__main__":
    main(*sys.argv[1:])
