"""Figures by branch, depth and leaves of AudioSet's ontology: where its nodes meet the classes of the scores.

ontology, class_ids = read_ontology("ontology.json"), class_ids_for("", num_classes=527)
found = ontology_figures(scores.probabilities, scores.labels, ontology, class_ids)
found["branches"]["Human sounds > Human voice"]["mAP"]
for table in ontology_tables(found):
    console.print(table)
"""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from yt8m_audio.audioset.ontology import Ontology
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.branches import branch_figures, violations
from yt8m_audio.evaluation.report.ontology_tables import ontology_tables as group_tables

RATES = {
    "rate": "in scores, of all clips × pairs",
    "rate_of_true": "in scores, where the class is true",
    "rate_of_labels": "in labels: the class is true, and the one above is not",
    "clips": "clips whose scores have one at least",
}
LEAVES, INNER = "leaves", "inner classes"


def ontology_figures(
    scores: np.ndarray,
    labels: np.ndarray,
    ontology: Ontology,
    class_ids: Sequence[str],
    *,
    rated: np.ndarray | None = None,
) -> dict[str, dict]:
    """Returns the figures of all groups that the ontology makes of the classes.

    Args:
        scores: [clips, C].
        labels: [clips, C], 0 or 1.
        ontology: with a node for each class.
        class_ids: the classes' ids, in the order of their indices (see yt8m_audio.audioset.class_ids).
        rated: of segments, bool [clips, C], as `evaluate` takes it.

    Returns:
        `branches`, `depths` and `leaves`: name of the group -> what `branch_figures` gives; and `violations` of the
        scores, over `class_pairs`.

    Raises:
        UserError: if a class is no node of the ontology, or the classes are not as many as the scores'.
    """
    check_nodes(ontology, class_ids, np.shape(scores)[1])
    groups = class_groups(ontology, class_ids)
    together = {name: classes for group in groups.values() for name, classes in group.items()}
    figures = branch_figures(scores, labels, together, rated=rated)
    found = {part: {name: figures[name] for name in group} for part, group in groups.items()}
    return {**found, "violations": violations(scores, labels, class_pairs(ontology, class_ids), rated=rated)}


def check_nodes(ontology: Ontology, class_ids: Sequence[str], num_classes: int) -> None:
    """Raises a UserError unless there are as many ids as classes, each of a node of the ontology."""
    if len(class_ids) != num_classes:
        raise UserError(
            f"--ontology needs the id, such as /m/09x0r, of each of the {num_classes} classes, and there are "
            f"{len(class_ids)}: give a --label_map with the columns index, mid and display_name."
        )
    for each in class_ids:
        ontology.node(each)


def class_groups(ontology: Ontology, class_ids: Sequence[str]) -> dict[str, dict[str, list[int]]]:
    """The groups of classes, part -> name -> class indices; those without any class are left out.

    * `branches`: each root and each node right below one, with all that lies below. A class may be in several.
    * `depths`: by steps below the nearest root.
    * `leaves`: the classes below which the ontology has nothing, and the others.
    """
    index = {ontology.node(mid).mid: number for number, mid in enumerate(class_ids)}
    branches: dict[str, list[int]] = {}
    for root in ontology.roots:
        name = ontology.nodes[root].name
        branches[name] = _classes_of(ontology, root, index)
        for child in ontology.nodes[root].child_ids:
            branches[f"{name} > {ontology.nodes[child].name}"] = _classes_of(ontology, child, index)
    depths: dict[str, list[int]] = {f"depth {depth}": [] for depth in sorted(set(ontology.depths.values()))}
    leaves: dict[str, list[int]] = {LEAVES: [], INNER: []}
    for mid, number in index.items():
        depths[f"depth {ontology.depths[mid]}"].append(number)
        leaves[LEAVES if ontology.nodes[mid].is_leaf else INNER].append(number)
    parts = {"branches": branches, "depths": depths, "leaves": leaves}
    return {part: {name: each for name, each in group.items() if each} for part, group in parts.items()}


def class_pairs(ontology: Ontology, class_ids: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of class indices (child, parent), of nodes right below one another; a child may have several parents."""
    index = {mid: number for number, mid in enumerate(class_ids)}
    return [
        (number, index[above]) for mid, number in index.items() for above in ontology.parents[mid] if above in index
    ]


def ontology_tables(found: dict[str, dict]) -> list[Table]:
    """What `ontology_figures` gives, as tables to print."""
    tables = [_groups_table(each) for each in group_tables(found)]
    rates = found["violations"]
    table = Table(title="A class above the class that it is a kind of", title_justify="left", show_header=False)
    table.add_row("pairs of such classes", f"{rates['pairs']:,}")
    for name, meaning in RATES.items():
        table.add_row(meaning, f"{rates[name]:.2%}")
    return [*tables, table]


def _groups_table(groups: dict) -> Table:
    table = Table(title=groups["title"], title_justify="left")
    table.add_column("group", overflow="fold")
    for column in groups["columns"]:
        table.add_column(column["label"], justify="right")
    for row in groups["rows"]:
        cells = (f"{row[each['key']]:{',' if each['whole'] else '.4f'}}" for each in groups["columns"])
        table.add_row(row["name"], *cells)
    return table


def _classes_of(ontology: Ontology, mid: str, index: dict[str, int]) -> list[int]:
    """The classes among a node and all that lies below it, ascending."""
    return sorted(index[each] for each in (mid, *ontology.descendants(mid)) if each in index)
