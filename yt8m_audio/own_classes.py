"""The classes of own data: of a label map, or of the labels that the rows of a CSV have.

classes = Classes.found(rows) if make_label_map else Classes.read("class_labels_indices.csv")
classes.indices(rows[0])    # [0, 137], of names, mids or indices
"""

import csv
import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from yt8m_audio.clip_rows import ClipRow, split_labels
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, LabelFinder, read_label_map

LABEL_MAP = "class_labels_indices.csv"


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes, and by what they may be called.

    Attributes:
        names: display names by index.
        finder: finds a class by name, mid or index.
        path: the label map; "" where it is made of the labels found.
        is_own: whether the user gave it, or had it made.
    """

    names: tuple[str, ...]
    finder: LabelFinder
    path: str
    is_own: bool

    @classmethod
    def read(cls, path: str) -> "Classes":
        """Reads a label map; AudioSet's own where no path is given.

        Raises:
            UserError: if it cannot be read.
        """
        file = path or str(AUDIOSET_LABEL_MAP)
        labels = read_label_map(file)
        return cls(labels.names, LabelFinder(labels.names, labels.ids), file, is_own=bool(path))

    @classmethod
    def found(cls, rows: Sequence[ClipRow]) -> "Classes":
        """Makes classes of the labels found, in order.

        Raises:
            UserError: if there are none, or a label looks like several.
        """
        labels = {label for row in rows for label in row.labels}
        if not labels:
            raise UserError(f"--make_label_map: {rows[0].file} has no labels to make a label map of.")
        for row in rows:
            for label in row.labels:
                if "," in label and labels.issuperset(split_labels(label, ",")):
                    raise UserError(f"{row.place}: '{label}' would be a class of its own: put ';' between labels.")
        names = sorted(labels, key=int if all(map(_is_index, labels)) else None)
        return cls(tuple(names), LabelFinder(names), "", is_own=True)

    def indices(self, row: ClipRow) -> list[int]:
        """The class indices of a row's labels, in rising order.

        Raises:
            UserError: if a label is of no class.
        """
        found = set()
        for label in row.labels:
            parts = (label,) if self.finder.matches(label) else split_labels(label, ",")  # where commas leave no doubt
            classes = [self.finder.matches(part) for part in parts]
            if not classes or not all(len(each) == 1 for each in classes):
                raise UserError(f"{row.place}: {self._unknown(label)}")
            found.update(each for (each,) in classes)
        return sorted(found)

    def _unknown(self, label: str) -> str:
        """What is said of a label that is of no class."""
        if len(self.finder.matches(label)) > 1:
            return f"'{label}' is the name of several classes of {self.path}: give the index or the mid."
        if self.is_own:
            return f"'{label}' is no class of {self.path}.{nearest(label, self.names)}"
        return (
            f"'{label}' is no class of AudioSet.{nearest(label, self.names)} If the classes are your own, give "
            "--label_map=FILE, or --make_label_map to make one of the labels found."
        )

    def save(self, path: Path) -> None:
        """Writes the label map, or a copy of it."""
        if self.path:
            shutil.copyfile(self.path, path)
            return
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("index", "display_name"))
            writer.writerows(enumerate(self.names))

    def warnings(self, rows: Sequence[ClipRow]) -> Iterator[str]:
        """Says what may not be as it was meant, a line each."""
        labels = {label for row in rows for label in row.labels}
        if not self.is_own and labels and all(map(_is_index, labels)):
            yield "the labels are numbers, and were taken as AudioSet's class indices; --label_map names others."
        unlabelled = sum(not row.labels for row in rows)
        if unlabelled:
            yield f"without a label: {unlabelled:,} of {len(rows):,} {'clip' if len(rows) == 1 else 'clips'}."


def _is_index(label: str) -> bool:
    return label.isascii() and label.isdigit()
