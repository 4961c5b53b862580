"""Label maps: class index -> display name.

labels = read_label_map("class_labels_indices.csv")      # AudioSet's: index,mid,display_name
labels.names[0]                                          # 'Speech'
"""

import dataclasses
import hashlib
from pathlib import Path

import pandas as pd

from yt8m_audio.errors import UserError

AUDIOSET_LABEL_MAP = Path(__file__).parent / "class_labels_indices.csv"
AUDIOSET_CLASSES = 527


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """Display names by class index, and the sha256 of the file they come from."""

    names: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.names)


def read_label_map(path: str) -> LabelMap:
    """Reads a CSV with the columns `index` and `display_name`; the indices are 0 to rows - 1, in any order.

    Raises:
        UserError: if the file cannot be read, or a column or an index is missing.
    """
    try:
        content = Path(path).read_bytes()
        table = pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"--label_map={path} cannot be read as a CSV: {error}") from error
    missing = {"index", "display_name"} - set(table.columns)
    if missing:
        raise UserError(
            f"--label_map={path} has no column {', '.join(sorted(missing))}; found {', '.join(table.columns)}."
        )
    if sorted(table["index"]) != list(range(len(table))):
        raise UserError(f"--label_map={path}: the indices must be 0 to {len(table) - 1}, each once.")
    names = tuple(table.sort_values("index")["display_name"].astype(str))
    return LabelMap(names, hashlib.sha256(content).hexdigest())


def label_map_for(path: str, num_classes: int) -> LabelMap | None:
    """Returns the map at `path`, AudioSet's own for 527 classes where no path is given, else None.

    Raises:
        UserError: if the map at `path` has another number of classes.
    """
    if not path:
        return read_label_map(str(AUDIOSET_LABEL_MAP)) if num_classes == AUDIOSET_CLASSES else None
    labels = read_label_map(path)
    if len(labels) != num_classes:
        raise UserError(f"--label_map={path} names {len(labels)} classes, but --num_classes is {num_classes}.")
    return labels
