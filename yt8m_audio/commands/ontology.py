"""python -m yt8m_audio ontology [WHAT]: what AudioSet's ontology has below a class, with counts of clips.

python -m yt8m_audio ontology Dog --segments=balanced_train_segments.csv --plot=dog.png
"""

import dataclasses
import json
import sys

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.audioset.ontology import Ontology
from yt8m_audio.audioset.segments import Segments
from yt8m_audio.audioset.selection import members_of
from yt8m_audio.commands.ontology_picture import draw
from yt8m_audio.commands.ontology_rows import NodeRow, rows_below
from yt8m_audio.commands.segment_lists import classes_of, ontology_beside, read_lists
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.labels import LabelMap

ABOUT = "Prints or draws what AudioSet's ontology has below a class, with counts of clips."
WIDTH = 80  # columns where the output is no terminal


@dataclasses.dataclass(frozen=True)
class OntologyFlags:
    """What is shown.

    Attributes:
        what: A node: a display name in any case, an id such as /m/0bt9lr, or a class index. The roots when empty.
        ontology: AudioSet's ontology.json. The one beside --segments, or in this folder, when empty.
        segments: List of AudioSet's segments to count clips in, or several with commas between.
        depth: Levels below. All when not given; one, of the roots.
        distance: Another node: print how many steps it is away, up and down again, and no tree.
        plot: PNG file to draw the tree to.
        json: Print JSON.
        label_map: CSV with the columns index, mid and display_name. AudioSet's 527 classes when empty.
    """

    what: str = dataclasses.field(default="", metadata=POSITIONAL)
    ontology: str = ""
    segments: str = ""
    depth: int | None = None
    distance: str = ""
    plot: str = ""
    json: bool = False
    label_map: str = ""


def main(argv) -> int:
    """Prints the tree, or JSON."""
    asked = parse(argv, ABOUT, OntologyFlags)
    labels, ontology = classes_of(asked.label_map), ontology_beside(asked.ontology, asked.segments)
    top = found_node(asked.what, ontology, labels) if asked.what else ""
    if asked.distance:
        print(distance_line(ontology, top, asked.distance, labels))
        return 0
    depth = asked.depth or (None if top else 1)
    counts = clip_counts(asked, ontology, labels) if asked.segments else {}
    rows = rows_below(ontology, top, depth, labels.ids, counts)
    if asked.plot:
        title = ontology.nodes[top].name if top else "AudioSet's ontology"
        draw(rows, title, asked.segments, asked.plot)
    if asked.json:
        facts = {"node": facts_of(ontology, top)} if top else {}
        print(json.dumps({**facts, "rows": [each.as_dict() for each in rows]}, indent=2, ensure_ascii=False))
    else:
        show(ontology, top, rows)
    if asked.plot:
        print(f"Drawn to {asked.plot}.", file=sys.stderr)
    return 0


def found_node(what: str, ontology: Ontology, labels: LabelMap) -> str:
    """The id of a node that a name, an id or a class index means.

    Raises:
        UserError: if it is none.
    """
    if what.isascii() and what.isdecimal() and int(what) < len(labels.ids):
        return ontology.node(labels.ids[int(what)]).mid
    return ontology.find(what)


def distance_line(ontology: Ontology, one: str, other: str, labels: LabelMap) -> str:
    """Says how far two nodes are apart.

    Raises:
        UserError: if one is missing or none.
    """
    if not one:
        raise UserError(f"--distance={other}: from where? Name a node before it, such as Dog.")
    found = found_node(other, ontology, labels)
    names = " and ".join(ontology.nodes[each].name for each in (one, found))
    steps = ontology.distance(one, found)
    return f"{names}: nothing is above both." if steps is None else f"{names}: {steps} step{'s' * (steps != 1)} apart."


def clip_counts(asked: OntologyFlags, ontology: Ontology, labels: LabelMap) -> dict[str, tuple[int, int]]:
    """Of each node the clips that have its class, and those that have it or one below it."""
    segments = read_lists(asked.segments, asked.label_map, "segments")
    places = {mid: index for index, mid in enumerate(labels.ids)}
    groups = [
        sorted(places[each] for each in (mid, *ontology.descendants(mid)) if each in places) for mid in ontology.nodes
    ]
    below = map(len, members_of(segments, np.arange(len(segments)), groups))
    own = own_counts(segments, len(labels))
    own_of = {mid: own[place] for mid, place in places.items()}
    return {mid: (own_of.get(mid, 0), count) for mid, count in zip(ontology.nodes, below, strict=True)}


def own_counts(segments: Segments, num_classes: int) -> list[int]:
    """Clips with each class."""
    once = np.unique(segments.label_rows * num_classes + segments.label_values)  # a clip may list a label twice
    return np.bincount(once % num_classes, minlength=num_classes).tolist()


def facts_of(ontology: Ontology, mid: str) -> dict:
    """What is known of a node: names of what is above it, and the ways down to it."""
    node = ontology.node(mid)

    def names(mids):
        return [ontology.nodes[each].name for each in mids]

    return {
        "mid": mid,
        "name": node.name,
        "depth": ontology.depths[mid],
        "restrictions": list(node.restrictions),
        "parents": names(ontology.parents[mid]),
        "children": names(node.child_ids),
        "ancestors": names(ontology.ancestors(mid)),
        "descendants": names(ontology.descendants(mid)),
        "paths": [names(path) for path in ontology.paths(mid)],
    }


def show(ontology: Ontology, top: str, rows: list[NodeRow]) -> None:
    """Prints where a node stands, and the tree below it."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    if top:
        for path in ontology.paths(top):
            console.print(escape(" > ".join(ontology.nodes[mid].name for mid in path)))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    counted = any(row.clips is not None for row in rows)
    table.add_column("class", overflow="fold")
    table.add_column("index", justify="right")
    for name in ("clips", "with below") if counted else ():
        table.add_column(name, justify="right")
    table.add_column("note", overflow="fold")
    for row in rows:
        counts = (f"{row.clips:,}", f"{row.clips_with_below:,}") if counted else ()
        index = "" if row.index is None else str(row.index)
        table.add_row("  " * row.level + escape(row.name), index, *counts, escape(row.note))
    console.print(table)
