"""Numbers as JSON knows them: it has neither NaN nor numpy's types."""

import math
from typing import Any

import numpy as np


def as_json(value: Any, digits: int | None = None) -> Any:
    """Returns a value, and all inside it, as plain Python: NaN and infinity as None.

    Args:
        value: dicts, lists, tuples, arrays, numbers, bytes, text.
        digits: significant digits to keep of numbers that are not whole; all of them by default.
    """
    if isinstance(value, dict):
        return {str(key): as_json(each, digits) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [as_json(each, digits) for each in value]
    if isinstance(value, float | np.floating):
        return _rounded(float(value), digits)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if value is None else str(value)


def _rounded(value: float, digits: int | None) -> float | None:
    if not math.isfinite(value):
        return None
    return value if digits is None else float(f"{value:.{digits}g}")
