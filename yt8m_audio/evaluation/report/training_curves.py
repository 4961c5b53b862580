"""How a run's figures went, from the rows of its metrics.jsonl."""

import math

import numpy as np

CHARTS = (("Loss", "Loss"), ("mAP", "mAP"), ("GAP", "GAP"))  # name, and the key of the rows
PARTS = ("train", "validation", "eval")
NUM_POINTS = 300
LOG_FROM = 10.0  # an axis is logarithmic where its largest value is this many times the smallest


def training_curves(rows: list[dict]) -> list[dict]:
    """Returns the charts of a run: `name`, `log`, and `series` of `part`, `place` (of its colour) and `points`.

    Points are [step, value]. Values that are no finite numbers are left out, and so are charts without points. Long
    series are thinned.
    """
    charts = []
    for name, key in CHARTS:
        found = [(place, part, _points(rows, part, key)) for place, part in enumerate(PARTS)]
        series = [{"part": part, "place": place, "points": points} for place, part, points in found if points]
        if series:
            charts.append({"name": name, "log": name == "Loss" and _spreads(series), "series": series})
    return charts


def _points(rows: list[dict], part: str, key: str) -> list[list[float]]:
    found = {
        row["step"]: row[key] for row in rows if row.get("part") == part and _finite(row.get(key)) and "step" in row
    }
    points = [[step, found[step]] for step in sorted(found)]
    if len(points) <= NUM_POINTS:
        return points
    return [points[place] for place in np.linspace(0, len(points) - 1, NUM_POINTS).round().astype(int)]


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _spreads(series: list[dict]) -> bool:
    values = [value for each in series for _, value in each["points"]]
    return min(values) > 0 and max(values) >= LOG_FROM * min(values)
