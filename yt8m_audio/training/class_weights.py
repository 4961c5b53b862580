"""Factors of the classes' losses: computed, read, and kept with the checkpoints of a run.

weights = class_weights("inverse_frequency", num_classes=527, labels=clips.labels)      # float32 [C]
weights = class_weights("weights.csv", num_classes=527, labels=clips.labels)
keep_weights(run, weights)         # eval.py and a resumed run have the clips and the CSV no longer, perhaps
kept_weights(run, num_classes=527)
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import RunDirectory, written_beside

INVERSE_FREQUENCY = "inverse_frequency"
COLUMNS = ("index", "weight")
KEPT_FILE = "class_weights.csv"


def class_weights(asked: str | None, num_classes: int, labels: Callable) -> np.ndarray | None:
    """Returns what the flag class_weights stands for.

    Args:
        asked: inverse_frequency, the path of a CSV, or nothing.
        num_classes: C.
        labels: gives the labels of the training clips, lists with `rows` and `values`.

    Returns:
        float32 [C]; None where every class counts alike.

    Raises:
        UserError: if the CSV cannot be read.
    """
    if not asked:
        return None
    if asked != INVERSE_FREQUENCY:
        return read_weights(asked, num_classes)
    found = labels()
    return inverse_frequency(found.rows, found.values, num_classes)


def inverse_frequency(clips: np.ndarray, classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Weighs classes by 1 / (number of clips), scaled to mean 1 over the classes that occur; there is no cap.

    Args:
        clips: int64 [n], the clip of each label. A label that a clip repeats counts once.
        classes: int64 [n], its class, in [0, C).
        num_classes: C.

    Returns:
        float32 [C]; 1 for classes that do not occur.
    """
    pairs = np.unique(np.asarray(clips, np.int64) * num_classes + classes)
    counts = np.bincount(pairs % num_classes, minlength=num_classes)  # [C]
    seen = counts > 0
    weights = np.ones(num_classes)
    weights[seen] = 1 / counts[seen]
    weights[seen] /= weights[seen].mean() if seen.any() else 1
    return weights.astype(np.float32)


def read_weights(path: str, num_classes: int) -> np.ndarray:
    """Reads a CSV with the columns index and weight, float32 [C]; classes that it does not name weigh 1.

    Raises:
        UserError: if it cannot be read, a class is not in [0, C) or comes twice, or a weight is no number from 0 up.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--class_weights={path} is not {INVERSE_FREQUENCY}, and cannot be read as a CSV: {error}"
        ) from error
    if not set(COLUMNS) <= set(table.columns):
        found = ", ".join(map(str, table.columns))
        raise UserError(f"--class_weights={path} needs the columns {' and '.join(COLUMNS)}; found {found}.")
    numbers = {name: pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64) for name in COLUMNS}
    index, weight = numbers["index"], numbers["weight"]
    known = np.isin(index, np.arange(num_classes))
    _refuse(path, ~known, table["index"], f"is no class from 0 to {num_classes - 1}")
    _refuse(path, table["index"].duplicated().to_numpy(), table["index"], "is the index of an earlier line too")
    _refuse(path, ~(np.isfinite(weight) & (weight >= 0)), table["weight"], "is no weight: give a number from 0 up")
    weights = np.ones(num_classes, np.float32)
    weights[index.astype(np.int64)] = weight
    return weights


def keep_weights(run: RunDirectory, weights: np.ndarray | None) -> None:
    """Writes weights [C] beside the checkpoints of a run, in a form that `read_weights` reads."""
    if weights is None:
        return
    with written_beside(_kept_file(run)) as partial:
        lines = [f"{index},{weight:.9g}\n" for index, weight in enumerate(weights)]
        partial.write_text("".join([f"{','.join(COLUMNS)}\n", *lines]))


def kept_weights(run: RunDirectory, num_classes: int) -> np.ndarray:
    """Reads the weights [C] that a run was trained with.

    Raises:
        UserError: if they are not there.
    """
    return read_weights(str(_kept_file(run)), num_classes)


def _kept_file(run: RunDirectory) -> Path:
    """Where the weights of a run lie: with its checkpoints, together with which a run is moved."""
    return run.checkpoints / KEPT_FILE


def _refuse(path: str, wrong: np.ndarray, cells: pd.Series, why: str) -> None:
    """Raises a UserError about the first line that is wrong, if one is."""
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(f"--class_weights={path}, line {first + 2}: '{cells[first]}' {why}.")
