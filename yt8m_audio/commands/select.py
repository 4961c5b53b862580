"""python -m yt8m_audio select CSV OUTPUT: writes those segments of a list that have, or have not, some classes.

python -m yt8m_audio select eval_segments.csv dogs.csv --labels=Dog --exclude=Music --per_class=100
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yt8m_audio.audioset.segment_files import write_events, write_ids, write_segments
from yt8m_audio.audioset.segments import Segments, is_segments_file
from yt8m_audio.audioset.selection import at_random, has_any, members_of, of_ids, read_id_list, so_many_each
from yt8m_audio.audioset.strong_labels import is_strong_labels_file, read_strong_labels
from yt8m_audio.commands.segment_lists import classes_of, list_paths, ontology_beside, read_lists, with_below
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.held_out import held_out
from yt8m_audio.labels import LabelFinder, LabelMap

ABOUT = "Writes those segments of AudioSet's lists that have, or have not, some classes; so many a class, at random."
NAMED = 5  # classes that a note names
OF_SEGMENTS = ("match", "single_label", "per_class", "number")  # flags


@dataclasses.dataclass(frozen=True)
class SelectFlags:
    """Which segments are written.

    Attributes:
        csv: List of AudioSet's segments, or several with commas between: `YTID, start, end, "label,label"`; or strong
            labels (.tsv), of which single events are chosen.
        output: List to write, .csv (or .tsv), lines as they were; or .txt, ids alone, as eval.py's --eval_ids takes
            them.
        labels: Only segments with one of these classes: names, ids or indices with commas between, a name with commas
            in double quotes. Any when empty.
        match: With any of --labels, or with all of them.
        exclude: Only segments without any of these classes.
        descendants: Whether a class of --labels or --exclude is also what the ontology has below it, as many clips
            with Bark are not labelled Dog.
        ontology: AudioSet's ontology.json. The one beside CSV, or in this folder, when empty.
        single_label: Only segments with one label.
        min_duration: Only segments of so many seconds at least.
        split: Only those that train.py --validation_percent holds out (validation), or the others (train).
        validation_percent: Share of the clips, in percent, that --split holds out.
        ids: Only segments of the ids in this file: a list of segments, or ids one a line.
        not_ids: Only segments of other ids than those in this file, such as another split's list.
        per_class: At random, so many of each class (of each of --labels, with what is below it), or all where there
            are fewer. What has several classes counts for each, so a frequent class may have more.
        number: At random, so many in all, after the rest.
        seed: Seed of what is random.
        label_map: CSV with the columns index, mid and display_name. AudioSet's 527 classes when empty.
    """

    csv: str = dataclasses.field(metadata=POSITIONAL)
    output: str = dataclasses.field(metadata=POSITIONAL)
    labels: str = ""
    match: str = "any"
    exclude: str = ""
    descendants: bool = True
    ontology: str = ""
    single_label: bool = False
    min_duration: float = 0.0
    split: str = ""
    validation_percent: int = 10
    ids: str = ""
    not_ids: str = ""
    per_class: int | None = None
    number: int | None = None
    seed: int = 0
    label_map: str = ""


class Group(NamedTuple):
    """What one label names.

    Attributes:
        name: its display name.
        classes: class indices, its own and those below it.
        below: how many of these are below it.
    """

    name: str
    classes: Sequence[int]
    below: int = 0

    def title(self) -> str:
        """Its name, and how many there are below."""
        return f"{self.name} and {self.below} below" if self.below else self.name


def main(argv) -> int:
    """Writes the list, and says how much of which class it has."""
    asked = parse(argv, ABOUT, SelectFlags)
    check(asked)
    if is_strong_labels_file(asked.csv):
        print(select_events(asked))
        return 0
    labels = classes_of(asked.label_map)
    groups = named_groups(asked.labels, "labels", asked, labels)
    excluded = named_groups(asked.exclude, "exclude", asked, labels)
    segments = read_lists(asked.csv, asked.label_map)
    kept = fitting(segments, asked) & having(segments, groups, excluded, asked.match)
    rows = thinned(segments, np.flatnonzero(kept), groups or each_class(labels), asked)
    if not len(rows):
        raise UserError(f"none of the {len(segments):,} segments of {asked.csv} is as asked: nothing was written.")
    write(segments, rows, asked)
    print(f"Wrote {len(rows):,} of {len(segments):,} segments to {asked.output}.")
    if groups:
        print("\n".join(f"  {each.title()}: {count:,}" for each, count in counted(segments, rows, groups)))
    if asked.per_class:
        print_short(counted(segments, rows, groups or each_class(labels)), asked.per_class)
    return 0


def check(asked: SelectFlags) -> None:
    """Raises a UserError about flags that say nothing, and an output that is an input."""
    for name, choices in (("match", ("any", "all")), ("split", ("", "train", "validation"))):
        if getattr(asked, name) not in choices:
            raise UserError(f"--{name}={getattr(asked, name)} is none of {', '.join(filter(None, choices))}.")
    is_strong = is_strong_labels_file(asked.csv)
    kind, what = (".tsv", "strong labels") if is_strong else (".csv", "a list of segments")
    if Path(asked.output).suffix.lower() not in (kind, ".txt"):
        raise UserError(f"{asked.output} is neither {kind}, {what}, nor .txt, ids one a line.")
    if asked.min_duration == math.inf:
        raise UserError(f"--min_duration={asked.min_duration} is no number of seconds that a segment could have.")
    if not 1 <= asked.validation_percent <= 99:
        raise UserError(f"--validation_percent={asked.validation_percent} must be 1 to 99.")
    read = [asked.csv] if is_strong else list_paths(asked.csv)
    read += filter(None, (asked.ids, asked.not_ids))
    if Path(asked.output).resolve() in [Path(each).resolve() for each in read]:
        raise UserError(f"{asked.output} is read and would be written over: give another OUTPUT.")


def named_groups(text: str, flag: str, asked: SelectFlags, labels: LabelMap) -> list[Group]:
    """The classes that a flag names, each with those below it; nodes that are no classes stand for those below.

    Raises:
        UserError: if one is no class or node, or there is no ontology to say what is below.
    """
    if not text:
        return []
    if not asked.descendants:
        named = LabelFinder(labels.names, labels.ids).listed(text, f"--{flag}")
        return [Group(labels.names[each], [each]) for each in named]
    try:
        ontology = ontology_beside(asked.ontology, asked.csv)
    except UserError as error:
        raise UserError(f"--{flag}={text}: {error} Or take these classes alone, with --nodescendants.") from error
    others = {mid: node.name for mid, node in ontology.nodes.items() if mid not in labels.ids}
    names, ids = (*labels.names, *others.values()), (*labels.ids, *others)
    named = LabelFinder(names, ids, len(labels)).listed(text, f"--{flag}")
    classes = [with_below(ids[each], labels.ids, ontology) for each in named]
    return [Group(names[each], found, len(found) - (each in found)) for each, found in zip(named, classes, strict=True)]


def each_class(labels: LabelMap) -> list[Group]:
    """Each class as a group of its own."""
    return [Group(name, [index]) for index, name in enumerate(labels.names)]


def fitting(segments: Segments, asked: SelectFlags) -> np.ndarray:
    """Which segments are as asked, whatever their classes, bool [n]."""
    kept = segments.end_ms - segments.start_ms >= round(1000 * asked.min_duration)
    if asked.single_label:
        kept &= segments.label_counts == 1
    return kept & of_asked_ids(segments.video_ids, asked)


def of_asked_ids(video_ids: np.ndarray, asked: SelectFlags) -> np.ndarray:
    """Which ids, object [n] of bytes, are in the split and files asked for, bool [n]."""
    kept = np.ones(len(video_ids), bool)
    if asked.split:
        kept &= held_out(asked.validation_percent)(video_ids) == (asked.split == "validation")
    if asked.ids:
        kept &= of_ids(video_ids, read_id_list(asked.ids, "ids"))
    if asked.not_ids:
        kept &= ~of_ids(video_ids, read_id_list(asked.not_ids, "not_ids"))
    return kept


def having(segments: Segments, groups: Sequence[Group], excluded: Sequence[Group], match: str) -> np.ndarray:
    """Which segments have the classes asked for, and none of those excluded, bool [n]."""
    combine = np.logical_and if match == "all" else np.logical_or
    kept = np.ones(len(segments), bool)
    if groups:
        kept = combine.reduce([has_any(segments, each.classes) for each in groups])
    return kept & ~has_any(segments, [index for each in excluded for index in each.classes])


def thinned(segments: Segments, rows: np.ndarray, groups: Sequence[Group], asked: SelectFlags) -> np.ndarray:
    """Those of the rows that chance leaves."""
    if asked.per_class is not None:
        rows = so_many_each(segments, rows, [each.classes for each in groups], asked.per_class, asked.seed)
    return rows if asked.number is None else at_random(rows, asked.number, asked.seed)


def write(segments: Segments, rows: np.ndarray, asked: SelectFlags) -> None:
    """Writes the list, or the ids.

    Raises:
        UserError: if it cannot be written.
    """
    path = Path(asked.output)
    with told_of(asked.output):
        if is_segments_file(asked.output):
            write_segments(path, segments, rows, ", ".join(Path(each).name for each in list_paths(asked.csv)))
        else:
            write_ids(path, segments.video_ids[rows])


@contextlib.contextmanager
def told_of(output: str) -> Iterator[None]:
    """Says which file it was that cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.") from error


def select_events(asked: SelectFlags) -> str:
    """Writes those strong labels that are as asked, and says how many.

    Raises:
        UserError: if something is asked that is of segments alone, or there are none.
    """
    given = [name for name in OF_SEGMENTS if getattr(asked, name) != getattr(SelectFlags, name)]
    if given:
        raise UserError(f"--{given[0]} chooses segments of a CSV; {asked.csv} holds strong labels.")
    events, labels = read_strong_labels(asked.csv), classes_of(asked.label_map)
    kept = events.end_ms - events.start_ms >= round(1000 * asked.min_duration)
    kept &= of_asked_ids(events.video_ids, asked)
    others = tuple(each for each in events.ids if each not in labels.ids)  # classes that are none of the map's
    all_ids = labels.ids + others
    labels = LabelMap(labels.names + others, "", all_ids)
    ids = np.array(events.ids)[events.label_values]
    for flag, wanted in (("labels", True), ("exclude", False)):
        groups = named_groups(getattr(asked, flag), flag, asked, labels)
        if groups:
            kept &= np.isin(ids, [all_ids[index] for each in groups for index in each.classes]) == wanted
    rows = np.flatnonzero(kept)
    if not len(rows):
        raise UserError(f"none of the {len(events):,} events of {asked.csv} is as asked: nothing was written.")
    with told_of(asked.output):
        if is_strong_labels_file(asked.output):
            write_events(Path(asked.output), events, rows)
        else:
            write_ids(Path(asked.output), events.video_ids[rows])
    return f"Wrote {len(rows):,} of {len(events):,} events to {asked.output}."


def counted(segments: Segments, rows: np.ndarray, groups: Sequence[Group]) -> list[tuple[Group, int]]:
    """How many of the rows each group has."""
    members = members_of(segments, rows, [each.classes for each in groups])
    return list(zip(groups, map(len, members), strict=True))


def print_short(counts: Sequence[tuple[Group, int]], wanted: int) -> None:
    """Names the classes of which there are fewer than wanted."""
    short = sorted((count, each.name) for each, count in counts if count < wanted)
    if short:
        least = "; ".join(f"{name} {count}" for count, name in short[:NAMED])
        more = "; ..." if len(short) > NAMED else ""
        print(f"note: {len(short)} of {len(counts)} classes have fewer than {wanted}: {least}{more}.")
