"""How good AudioSet's labels are: qa_true_counts.csv counts, of each class, the clips that were rated again.

label,num_rated,num_true
/m/09x0r,10,10
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError, csv_fault

LABEL_COLUMNS = ("label", "label_id", "mid", "display_name")
RATED, TRUE = "num_rated", "num_true"


def read_label_quality(path: str, ids: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Reads the share of the rated clips of each class whose label was right.

    Args:
        path: the CSV; its labels are ids or display names.
        ids: of the classes, by index, or none.
        names: of the classes, by index.

    Returns:
        float64 [C] in [0, 1]; nan for classes that were not rated.

    Raises:
        UserError: if it cannot be read, has other columns, or names none of the classes.
    """
    table = _read(path)
    labels = next(table[name] for name in LABEL_COLUMNS if name in table.columns)
    places = {**{name: index for index, name in enumerate(names)}, **{each: index for index, each in enumerate(ids)}}
    quality = np.full(len(names), np.nan)
    for label, rated, true in zip(labels.str.strip(), table[RATED], table[TRUE], strict=True):
        if label in places and rated > 0:
            quality[places[label]] = true / rated
    if np.isnan(quality).all():
        raise UserError(f"--label_quality={path} names none of the {len(names)} classes, such as {names[0]}.")
    return quality


def _read(path: str) -> pd.DataFrame:
    """The table: labels as text, counts as numbers, nan where a cell holds none."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise UserError(f"--label_quality={path} cannot be read as a CSV: {csv_fault(error)}.") from error
    table.columns = [name.strip(" #") for name in table.columns]
    if not {RATED, TRUE} <= set(table.columns) or not set(LABEL_COLUMNS) & set(table.columns):
        raise UserError(
            f"--label_quality={path} needs the columns label, {RATED} and {TRUE}; found {', '.join(table.columns)}."
        )
    return table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in (RATED, TRUE)})
