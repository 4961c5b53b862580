"""python -m yt8m_audio labels [WHAT ...]: index, id and display name of classes, whichever of the three is given.

python -m yt8m_audio labels 0 /m/0bt9lr "male speech, man speaking" "*guitar*"
"""

import dataclasses
import fnmatch
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.audioset.ontology import FILE_NAME, Ontology, read_ontology
from yt8m_audio.commands.segment_lists import classes_of
from yt8m_audio.errors import UserError
from yt8m_audio.flags import SEVERAL, parse
from yt8m_audio.labels import LabelFinder, LabelMap

ABOUT = "Says index, id and display name of classes, whichever of the three is given."
WIDTH = 80  # columns where the output is no terminal


@dataclasses.dataclass(frozen=True)
class LabelsFlags:
    """Which classes, and how they are shown.

    Attributes:
        what: An index, an id such as /m/0bt9lr, a display name in any case, or a pattern such as *guitar*. All classes
            when there is none.
        label_map: CSV with the columns index and display_name, or YouTube-8M's vocabulary.csv. AudioSet's 527 classes
            when empty.
        ontology: AudioSet's ontology.json, for what stands right above each class. The one in this folder, if there is
            one, when empty.
        json: Print JSON.
    """

    what: tuple[str, ...] = dataclasses.field(default=(), metadata=SEVERAL)
    label_map: str = ""
    ontology: str = ""
    json: bool = False


def main(argv) -> int:
    """Prints the table, or JSON."""
    asked = parse(argv, ABOUT, LabelsFlags)
    labels = classes_of(asked.label_map)
    classes = asked_classes(asked.what, labels) if asked.what else range(len(labels))
    has_one = asked.ontology or (Path(FILE_NAME).exists() and labels.ids)
    rows = rows_of(classes, labels, read_ontology(asked.ontology or FILE_NAME) if has_one else None)
    if asked.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        show(rows)
    return 0


def asked_classes(words: Iterable[str], labels: LabelMap) -> list[int]:
    """The classes that words name, in their order, each once.

    Raises:
        UserError: if one names none.
    """
    finder = LabelFinder(labels.names, labels.ids)
    found = (matching(word, labels) if "*" in word else finder.listed(word) for word in words)
    return list(dict.fromkeys(each for classes in found for each in classes))


def matching(pattern: str, labels: LabelMap) -> list[int]:
    """The classes whose names a pattern matches, in any case.

    Raises:
        UserError: if there are none.
    """
    folded = pattern.casefold()
    found = [number for number, name in enumerate(labels.names) if fnmatch.fnmatchcase(name.casefold(), folded)]
    if not found:
        raise UserError(f"{pattern} matches no name of a class.")
    return found


def rows_of(classes: Iterable[int], labels: LabelMap, ontology: Ontology | None) -> list[dict]:
    """What is known of classes: index, mid, name, and with an ontology the names right above each."""
    rows = []
    for index in classes:
        row = {"index": index, "mid": labels.ids[index] if labels.ids else "", "name": labels.names[index]}
        if ontology:
            row["parents"] = [ontology.nodes[above].name for above in ontology.parents[ontology.node(row["mid"]).mid]]
        rows.append(row)
    return rows


def show(rows: list[dict]) -> None:
    """Prints the table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("index", justify="right")
    columns = [name for name in ("mid", "name", "parents") if any(row.get(name) for row in rows)]
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name == "mid")
    for row in rows:
        values = (row.get(name, "") for name in columns)
        texts = (escape(each if isinstance(each, str) else "; ".join(each)) for each in values)
        table.add_row(str(row["index"]), *texts)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
