"""python -m yt8m_audio split CSV FOLDER: divides a list of segments into parts, each with its share of every class.

    python -m yt8m_audio split balanced_train_segments.csv splits --parts=train=80,validation=10,test=10

It leaves FOLDER/train.csv and so on, in AudioSet's format, and FOLDER/classes.tsv with the count of each class in each.
"""

import csv
import dataclasses
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from yt8m_audio.audioset.segment_files import write_segments
from yt8m_audio.audioset.segments import Segments
from yt8m_audio.audioset.stratification import stratified
from yt8m_audio.commands.segment_lists import classes_of, list_paths, read_lists
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.labels import LabelMap
from yt8m_audio.run_directory import written_beside

ABOUT = "Divides a list of segments into training, validation and test, with each class's share in each."
PART = re.compile(r"(\w[\w.-]*)=(\d+\.?\d*)")
CLASSES_FILE = "classes.tsv"
WIDTH = 80  # columns where the output is no terminal


@dataclasses.dataclass(frozen=True)
class SplitFlags:
    """What is divided, and how.

    Attributes:
        csv: List of AudioSet's segments, or several with commas between.
        folder: Folder to write a list for each part to.
        parts: Names of the parts and their shares, which need not sum to 100: five folds are a=1,b=1,c=1,d=1,e=1.
        seed: Seed: the same one divides the same list in the same way.
        label_map: CSV with the columns index, mid and display_name. AudioSet's 527 classes when empty.
    """

    csv: str = dataclasses.field(metadata=POSITIONAL)
    folder: str = dataclasses.field(metadata=POSITIONAL)
    parts: str = "train=80,validation=10,test=10"
    seed: int = 0
    label_map: str = ""


def main(argv) -> int:
    """Writes the parts, and prints how the classes are spread over them."""
    asked = parse(argv, ABOUT, SplitFlags)
    shares = named_shares(asked.parts)
    check_written(asked, shares)
    labels, segments = classes_of(asked.label_map), read_lists(asked.csv, asked.label_map)
    parts = stratified(segments, list(shares.values()), asked.seed)
    empty = [name for number, name in enumerate(shares) if not (parts == number).any()]
    if empty:
        raise UserError(f"--parts={asked.parts}: none of the {len(segments):,} segments is left for {empty[0]}.")
    counts = class_counts(segments, parts, len(labels), len(shares))  # [C, P]
    write(asked, segments, parts, list(shares), counts, labels)
    show(segments, parts, shares, counts)
    print(f"Written to {asked.folder}: {', '.join(f'{name}.csv' for name in shares)}, {CLASSES_FILE}.")
    return 0


def named_shares(text: str) -> dict[str, float]:
    """The parts' names and shares, which sum to 1.

    Raises:
        UserError: if there are fewer than two, or one is no name with a number above 0.
    """
    found = [PART.fullmatch(each.strip()) for each in text.split(",")]
    if not all(found) or not all(float(each[2]) for each in found):
        raise UserError(f"--parts={text} must be names with numbers above 0, such as train=80,validation=10,test=10.")
    names = [each[1] for each in found]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"--parts={text} must name two parts at least, each once.")
    whole = sum(float(each[2]) for each in found)
    return {each[1]: float(each[2]) / whole for each in found}


def check_written(asked: SplitFlags, names: Iterable[str]) -> None:
    """Raises a UserError if a list that is read would be written over."""
    written = {Path(asked.folder, f"{name}.csv").resolve() for name in names}
    for path in list_paths(asked.csv):
        if Path(path).resolve() in written:
            raise UserError(f"{path} is read and would be written over: give another FOLDER, or other --parts.")


def class_counts(segments: Segments, parts: np.ndarray, num_classes: int, num_parts: int) -> np.ndarray:
    """Segments with each class in each part, int64 [C, P]."""
    places = segments.label_values * np.int64(num_parts) + parts[segments.label_rows]
    return np.bincount(places, minlength=num_classes * num_parts).reshape(num_classes, num_parts)


def write(asked: SplitFlags, segments: Segments, parts: np.ndarray, names: Sequence[str], counts, labels: LabelMap):
    """Writes the list of each part, and the table of classes.

    Raises:
        UserError: if one cannot be written.
    """
    source = ", ".join(Path(each).name for each in list_paths(asked.csv))
    try:
        os.makedirs(asked.folder, exist_ok=True)
        for number, name in enumerate(names):
            rows = np.flatnonzero(parts == number)
            write_segments(Path(asked.folder, f"{name}.csv"), segments, rows, f"{source}: {name}")
        with written_beside(Path(asked.folder, CLASSES_FILE)) as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(["index", "display_name", *names])
            writer.writerows([index, labels.names[index], *row] for index, row in enumerate(counts.tolist()))
    except OSError as error:
        raise UserError(f"{asked.folder} cannot be written: {error.strerror}.") from error


def show(segments: Segments, parts: np.ndarray, shares: dict[str, float], counts: np.ndarray) -> None:
    """Prints how many segments, ids and labels each part has, and how far classes are from their shares."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("part", overflow="fold")
    for name in ("segments", "share", "ids", "labels", "classes", "mean error", "largest"):
        table.add_column(name, justify="right", no_wrap=True)
    present = counts.sum(axis=1) > 0
    wanted = np.array(list(shares.values()))
    errors = np.abs(counts[present] / counts[present].sum(axis=1, keepdims=True) - wanted)  # [C', P]
    for number, (name, share) in enumerate(shares.items()):
        here = parts == number
        cells = (
            f"{here.sum():,}",
            f"{here.mean():.1%}",
            f"{len(set(segments.video_ids[here])):,}",
            f"{counts[:, number].sum():,}",
            f"{np.count_nonzero(counts[:, number]):,}",
            f"{errors[:, number].mean():.2%}" if present.any() else "",
            f"{errors[:, number].max():.1%}" if present.any() else "",
        )
        table.add_row(f"{name} {share:.3g}", *cells)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
    print(f"{present.sum():,} classes. Error: a part's share of a class against the share asked for.")
