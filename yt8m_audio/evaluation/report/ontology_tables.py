"""Figures by groups of the ontology, as the page and the model card show them."""

import numpy as np

from yt8m_audio.evaluation.report.wording import MISSING

TITLES = {"branches": "By branch", "depths": "By steps below a root", "leaves": "Leaves apart"}
COLUMNS = {
    "mAP": "mAP",
    "auc": "AUC",
    "d_prime": "d′",
    "classes": "Classes",
    "with_positives": "With positives",
    "positives": "Positives",
}
WHOLE = {"classes", "with_positives", "positives"}


def ontology_tables(branches: dict | None) -> list[dict]:
    """Returns the tables there are: `title`, `columns` (`key`, `label`, `whole`) and `rows` (`name` and figures).

    Args:
        branches: `branches`, `depths` and `leaves`, of each name -> figures, beside the `violations` of the scores
            (see yt8m_audio.evaluation.branches); None where there is no ontology.
    """
    return [_table(title, branches[part]) for part, title in TITLES.items() if branches and branches.get(part)]


def violations(branches: dict | None) -> str:
    """Says how often a class scores above the class that it is a kind of; "" where that is not known."""
    found = branches and branches.get("violations")
    if not found or not found["pairs"]:
        return ""
    return (
        f"There are {found['pairs']:,} pairs of a class and one that it is a kind of. The narrower class scores higher "
        f"in {_percent(found['rate'])} of all clips and pairs, and in {_percent(found['rate_of_true'])} of those where "
        f"it is true; of these the labels themselves lack the wider class in {_percent(found['rate_of_labels'])}."
    )


def _table(title: str, groups: dict[str, dict]) -> dict:
    there = [key for key in COLUMNS if any(key in figures for figures in groups.values())]
    columns = [{"key": key, "label": COLUMNS[key], "whole": key in WHOLE} for key in there]
    return {"title": title, "columns": columns, "rows": [{"name": str(name), **row} for name, row in groups.items()]}


def _percent(share: float) -> str:
    return MISSING if np.isnan(share) else f"{share:.1%}".replace("%", " %")
