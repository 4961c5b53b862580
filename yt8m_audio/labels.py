"""Label maps: class index -> display name; and back, from whatever a class may be called.

labels = read_label_map("class_labels_indices.csv")      # AudioSet's: index,mid,display_name
labels = read_label_map("vocabulary.csv")                # YouTube-8M's: Index,…,KnowledgeGraphId,Name,…
labels.names[0]                                          # 'Speech'
finder = LabelFinder(labels.names, labels.ids)
finder.find("speech"), finder.find("/m/09x0r")           # 0, 0
finder.listed('0,dog,"Male speech, man speaking"')       # [0, 74, 1]
"""

import csv
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from yt8m_audio.errors import UserError, csv_fault, nearest

AUDIOSET_LABEL_MAP = Path(__file__).parent / "class_labels_indices.csv"
AUDIOSET_CLASSES = 527
COLUMNS = (  # class index, display name, and what stands in for an empty name
    ("index", "display_name", "mid"),  # AudioSet's spelling
    ("Index", "Name", "KnowledgeGraphId"),  # YouTube-8M's: some entities of its vocabulary have no name
)


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """Display names by class index, the sha256 of the file they come from, and ids such as /m/09x0r if it has some."""

    names: tuple[str, ...]
    sha256: str
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


def read_label_map(path: str) -> LabelMap:
    """Reads AudioSet's CSV (columns `index`, `display_name`) or YouTube-8M's vocabulary (columns `Index`, `Name`).

    The indices are 0 to rows - 1, in any order. An empty name becomes the entity's id (`mid`, `KnowledgeGraphId`),
    where the file has that column.

    Raises:
        UserError: if the file cannot be read, or a column or an index is missing.
    """
    try:
        content = Path(path).read_bytes()
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"--label_map={path} cannot be read as a CSV: {csv_fault(error)}.") from error
    index, name, identifier = _columns(table, path)
    indices = pd.to_numeric(table[index], errors="coerce")
    missing = set(range(len(table))) - set(indices)
    if missing:
        raise UserError(
            f"--label_map={path}: the indices must be 0 to {len(table) - 1}, each once; "
            f"found {len(table)} rows and no {index} {min(missing)}."
        )
    names = table[name].where(table[name] != "", table.get(identifier, ""))
    order = indices.argsort()
    ids = tuple(table[identifier].iloc[order]) if identifier in table else ()
    return LabelMap(tuple(names.iloc[order]), hashlib.sha256(content).hexdigest(), ids)


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


def _columns(table: pd.DataFrame, path: str) -> tuple[str, str, str]:
    """Returns the file's own spelling of the columns."""
    for columns in COLUMNS:
        if set(columns[:2]) <= set(table.columns):
            return columns
    needed = " or ".join(f"{index} and {name}" for index, name, _ in COLUMNS)
    raise UserError(f"--label_map={path} needs the columns {needed}; found {', '.join(table.columns)}.")


class LabelFinder:
    """Finds classes by what they may be called: display name, id such as /m/09x0r, or index.

    What is written exactly as a name or an id counts before an index (a class may be called "7"), and that before what
    differs from a name or an id in upper and lower case alone.

    Args:
        names: of all classes; empty where they have none.
        ids: of all classes; empty where they have none.
        num_classes: C; as many as there are names when not given.
    """

    def __init__(self, names: Sequence[str], ids: Sequence[str] = (), num_classes: int | None = None):
        self.names, self.num_classes = names, len(names) if num_classes is None else num_classes
        self.exact = _places(names), _places(ids)
        self.folded = tuple(_places(map(str.casefold, each)) for each in (names, ids))

    def matches(self, label: str) -> tuple[int, ...]:
        """The classes that a text may mean: none, one, or those that share a name."""
        for table in self.exact:
            if label in table:
                return table[label]
        if label.isascii() and label.isdecimal() and int(label) < self.num_classes:
            return (int(label),)
        folded = label.casefold()
        return next((table[folded] for table in self.folded if folded in table), ())

    def find(self, label: str, asked: str = "") -> int:
        """The class that a text means.

        Args:
            label: name, id or index.
            asked: what the error begins with, such as the flag.

        Raises:
            UserError: if it is no class, or the name of several.
        """
        found = self.matches(label)
        if len(found) == 1:
            return found[0]
        begin = f"{asked}: " if asked else ""
        if found:
            raise UserError(f"{begin}{label} is the name of the classes {', '.join(map(str, found))}: give an index.")
        others = ", an id or a name" if self.names else "; they have no names without --label_map"
        near = nearest(label, self.names)
        raise UserError(f"{begin}{label} is no class: give 0 to {self.num_classes - 1}{others}.{near}")

    def listed(self, text: str, asked: str = "") -> list[int]:
        """The classes of a list with commas between, a name with commas in double quotes or alone; each once.

        Raises:
            UserError: as `find` does.
        """
        if self.matches(text.strip()):
            return [self.find(text.strip(), asked)]
        cells = next(csv.reader([text], skipinitialspace=True), [])
        return list(dict.fromkeys(self.find(each.strip(), asked) for each in cells if each.strip()))


def _places(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Where each text stands; that of nothing is left out."""
    found: dict[str, tuple[int, ...]] = {}
    for place, text in enumerate(texts):
        if text:
            found[text] = (*found.get(text, ()), place)
    return found
