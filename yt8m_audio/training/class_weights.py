"""Factors of the classes' losses: computed, read, and kept in the run directory.

weights = class_weights("inverse_frequency", num_classes=527, labels=clips.labels)      # float32 [C]
weights = class_weights("weights.csv", num_classes=527, labels=clips.labels)
keep_weights(run, weights)         # eval.py and a resumed run have the clips and the CSV no longer, perhaps
kept_weights(run, "weights.csv", num_classes=527)
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError, nearest
from yt8m_audio.paths import is_remote, path_of
from yt8m_audio.run_directory import RunDirectory, written_beside

INVERSE_FREQUENCY = "inverse_frequency"
COLUMNS = ("index", "weight")


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


def resumed_weights(run: RunDirectory, asked: str, num_classes: int, labels: Callable, given: bool) -> np.ndarray:
    """Returns the weights of a run that goes on with the setting that it had: those that it kept.

    They are made anew, which is printed, only where the command line has the flag and either the CSV holds other
    weights by now or the kept ones are gone.

    Args:
        run: the run that goes on.
        asked: inverse_frequency, or the path of a CSV, which may be gone.
        num_classes: C.
        labels: gives the labels of the training clips, as for `class_weights`.
        given: whether the command line has the flag.

    Returns:
        float32 [C].

    Raises:
        UserError: if a file cannot be read.
    """
    if given and not run.class_weights_file.is_file():
        print(f"{run.class_weights_file} is missing: it is written anew, as --class_weights={asked} says.")
        return class_weights(asked, num_classes, labels)
    kept = kept_weights(run, asked, num_classes)
    if not given or asked == INVERSE_FREQUENCY or not path_of(asked).is_file():
        return kept
    found = read_weights(asked, num_classes)
    if not np.array_equal(found, kept):
        print(f"--class_weights={asked} holds other weights than before, which are taken from now on.")
    return found


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


def read_weights(path: str, num_classes: int, called: str = "") -> np.ndarray:
    """Reads a CSV with the columns index and weight, float32 [C]; classes that it does not name weigh 1.

    Args:
        path: the CSV.
        num_classes: C.
        called: what errors call it. The flag when empty.

    Raises:
        UserError: if it cannot be read, a class is not in [0, C) or comes twice, a weight is no number from 0 up, or
            all are 0.
    """
    called = called or f"--class_weights={path}"
    try:
        source = path_of(path).open("rb") if is_remote(path) else path
        table = pd.read_csv(source, dtype=str, keep_default_na=False, skip_blank_lines=False, skipinitialspace=True)
    except (OSError, ValueError) as error:
        meant = nearest(path, [INVERSE_FREQUENCY])
        raise UserError(f"{called} is not {INVERSE_FREQUENCY}, and cannot be read as a CSV: {error}.{meant}") from error
    if not set(COLUMNS) <= set(table.columns):
        found = ", ".join(map(str, table.columns))
        raise UserError(f"{called} needs the columns {' and '.join(COLUMNS)}; found {found}.")
    numbers = {name: pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64) for name in COLUMNS}
    index, weight = numbers["index"], numbers["weight"]
    known = np.isin(index, np.arange(num_classes))
    _refuse(called, ~known, table["index"], f"is no class from 0 to {num_classes - 1}")
    _refuse(called, table["index"].duplicated().to_numpy(), table["index"], "is the index of an earlier line too")
    _refuse(called, ~(np.isfinite(weight) & (weight >= 0)), table["weight"], "is no weight: give a number from 0 up")
    weights = np.ones(num_classes, np.float32)
    weights[index.astype(np.int64)] = weight
    if not len(table) or not weights.any():
        raise UserError(f"{called} {'weighs every class 0' if len(table) else 'has no line below its header'}.")
    return weights


def keep_weights(run: RunDirectory, weights: np.ndarray | None) -> None:
    """Writes weights [C] into the directory of a run, in a form that `read_weights` reads; None leaves none there."""
    if weights is None:
        run.class_weights_file.unlink(missing_ok=True)
        return
    with written_beside(run.class_weights_file) as partial:
        lines = [f"{index},{weight:.9g}\n" for index, weight in enumerate(weights)]
        partial.write_text("".join([f"{','.join(COLUMNS)}\n", *lines]))


def kept_weights(run: RunDirectory, asked: str, num_classes: int) -> np.ndarray:
    """Reads the weights [C] that a run was trained with.

    Args:
        run: the run.
        asked: what its flag class_weights was, which its error says how to give again.
        num_classes: C.

    Raises:
        UserError: if they are not there.
    """
    file = run.class_weights_file
    if not file.is_file():
        raise UserError(
            f"{file} is missing, which holds the class weights of the run's loss: put it back, or have it written anew "
            f"by python train.py --train_dir={run.path} --class_weights={asked}."
        )
    return read_weights(str(file), num_classes, called=str(file))


def _refuse(called: str, wrong: np.ndarray, cells: pd.Series, why: str) -> None:
    """Raises a UserError about the first line that is wrong, if one is."""
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(f"{called}, line {first + 2}: '{cells[first]}' {why}.")
