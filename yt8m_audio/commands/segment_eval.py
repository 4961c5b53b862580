"""python -m yt8m_audio segment-eval: MAP@N of a submission of ranked segments, as in YouTube-8M's challenge of 2019.

    python -m yt8m_audio segment-eval --submission_file=segments.csv --eval_data_pattern='validate/*.tfrecord'

The flags are those of the starter code's segment_eval_inference.py.
"""

import dataclasses
import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from yt8m_audio.commands.segment_ratings import read_ratings
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.evaluation.segment_metrics import (
    ClassFigures,
    mean_average_precision,
    segment_figures,
    submitted_mean,
)
from yt8m_audio.flags import parse
from yt8m_audio.labels import read_label_map

ABOUT = "Evaluates a submission of ranked segments: MAP@N, as in YouTube-8M's challenge of 2019."
HEADER = "Class,Segments"
COLUMNS = {
    "average_precision": "AP",
    "positives": "true",
    "found": "true ranked",
    "rated": "rated",
    "ranked": "rated ranked",
}
SEGMENT = r"[^\s:,]+:\d+"  # id:start
SEGMENTS = re.compile(rf"(?:{SEGMENT}(?: +{SEGMENT})*)? *")


@dataclasses.dataclass(frozen=True)
class SegmentEvalFlags:
    """What is evaluated, and on what.

    Attributes:
        submission_file: CSV with the lines Class,Segments and then class,id:start id:start ..., best first.
        eval_data_pattern: Glob of the records with rated segments. It may be left out where label_cache is there.
        label_cache: CSV that the ratings are kept in: written where it is not there, and read where it is.
        top_n: Segments of a class that count, from the best on; 0 for all.
        label_map: CSV with names of the classes, such as YouTube-8M's vocabulary.csv, for the table.
        json: Print JSON.
    """

    submission_file: str = ""
    eval_data_pattern: str = ""
    label_cache: str = ""
    top_n: int = 0
    label_map: str = ""
    json: bool = False


def main(argv) -> int:
    """Prints the table, or JSON."""
    asked = parse(argv, ABOUT, SegmentEvalFlags)
    if not asked.submission_file:
        raise UserError("--submission_file is missing: give the CSV with the lines class,id:start id:start ...")
    if asked.top_n < 0:
        raise UserError(f"--top_n={asked.top_n} must be at least 0, which takes all segments.")
    names = read_label_map(asked.label_map).names if asked.label_map else ()
    rankings = read_submission(asked.submission_file)
    ratings = read_ratings(asked.eval_data_pattern, asked.label_cache)
    report = report_of(segment_figures(ratings, rankings, asked.top_n), asked.top_n, names)
    if asked.json:
        print(json.dumps(as_json({**dataclasses.asdict(asked), **report}), indent=2))
    else:
        show(report, asked.top_n)
    return 0


def report_of(figures: dict[int, ClassFigures], top_n: int, names: Sequence[str] = ()) -> dict:
    """Returns the figures of a submission, nan where one is not defined.

    Args:
        figures: from `segment_figures`.
        top_n: segments of a class that counted, 0 for all.
        names: display names by class index, as far as they are known.

    Raises:
        UserError: if the submission names no segment that is rated.
    """
    if not any(each.ranked for each in figures.values()):
        where = f"among its first {top_n} (--top_n)" if top_n else "in there"
        raise UserError(
            f"No segment that is rated for a class of the submission is {where}: are these the records that it was "
            "made of?"
        )
    return {
        "map": mean_average_precision(figures),
        "submitted_map": submitted_mean(figures),
        "classes": sum(each.positives > 0 for each in figures.values()),
        "missing_classes": [index for index, each in figures.items() if each.positives and not each.submitted],
        "unrated_classes": [index for index, each in figures.items() if not each.rated],
        "per_class": [_row(index, each, names) for index, each in figures.items() if each.rated],
    }


def read_submission(path: str) -> Iterator[tuple[int, list[str]]]:
    """Reads the starter code's CSV of segments, a class at a time: its index and its segments, best first.

    The starter's own script loses the last segment of every line, which it reads together with the line's end.

    Raises:
        UserError: if the file cannot be read, holds no class, or a line is not as it must be.
    """
    empty = True
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if line.strip() and line.strip() != HEADER:
                    empty = False
                    yield _class_and_segments(line.strip(), f"--submission_file={path}, line {number}")
    except OSError as error:
        raise UserError(f"--submission_file={path} cannot be read: {error.strerror}.") from error
    if empty:
        raise UserError(f"--submission_file={path} holds no class: its lines are class,id:start id:start ...")


def show(report: dict, top_n: int) -> None:
    """Prints the table of the classes, and below it MAP@N and what is odd about the submission."""
    table = Table(title="Segments of each class", title_justify="left")
    table.add_column("class", justify="right")
    named = any(row["name"] for row in report["per_class"])
    if named:
        table.add_column("name", overflow="fold")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for row in report["per_class"]:
        precision = row["average_precision"]
        counts = (f"{row[name]:,}" for name in list(COLUMNS)[1:])
        first = (str(row["class"]), row["name"])[: 1 + named]
        table.add_row(*first, "" if math.isnan(precision) else f"{precision:.4f}", *counts)
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    classes = f"{report['classes']:,} classes of which a segment is rated true"
    print(f"MAP{f'@{top_n}' if top_n else ''} {report['map']:.6f}, the mean over {classes}.")
    for note in notes(report):
        print(f"note: {note}")


def notes(report: dict) -> list[str]:
    """What is odd about a submission."""
    found, missing, unrated = [], report["missing_classes"], report["unrated_classes"]
    if missing:
        mean = report["submitted_map"]
        found.append(f"Classes that are not in the submission count 0: {_listed(missing)}.")
        if not math.isnan(mean):
            found[-1] += f" The mean over the others, as the starter's script takes it, is {mean:.6f}."
    if unrated:
        found.append(f"Classes of the submission that are not rated are left out: {_listed(unrated)}.")
    return found


def _class_and_segments(line: str, where: str) -> tuple[int, list[str]]:
    index, _, segments = line.partition(",")
    if not index.isdecimal():
        raise UserError(f"{where}: {index[:40]!r} is no class, a whole number; lines are class,id:start id:start ...")
    if not SEGMENTS.fullmatch(segments):
        wrong = next((each for each in segments.split() if not re.fullmatch(SEGMENT, each)), segments)
        raise UserError(f"{where}: class {index} names {wrong[:40]!r}, which is no segment: these are id:start.")
    return int(index), segments.split()


def _row(index: int, figures: ClassFigures, names: Sequence[str]) -> dict:
    name = names[index] if index < len(names) else ""
    return {"class": index, "name": name, **dataclasses.asdict(figures)}


def _listed(classes: list[int], most: int = 5) -> str:
    more = f", and {len(classes) - most} more" if len(classes) > most else ""
    return ", ".join(map(str, classes[:most])) + more
