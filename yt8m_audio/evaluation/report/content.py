"""All that a report says: its tables, and the same as the page's scripts take them."""

import dataclasses

import numpy as np
import pandas as pd

from yt8m_audio.evaluation.clip_rankings import label_places
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.inputs import check_any_positive, checked, unrated_last
from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.evaluation.report.class_table import class_table
from yt8m_audio.evaluation.report.confusions import confusions
from yt8m_audio.evaluation.report.curves import NUM_POINTS, precision_recall, reliability_bins
from yt8m_audio.evaluation.report.hardest import hardest_clips
from yt8m_audio.evaluation.report.headlines import headlines
from yt8m_audio.evaluation.report.ontology_tables import ontology_tables, violations
from yt8m_audio.evaluation.report.training_curves import training_curves
from yt8m_audio.evaluation.report.wording import flat_settings, provenance_rows, shown, summary, title

ENOUGH_POSITIVES = 10  # for a class to be called best or worst
NUM_EXTREMES = 10
MOST_CONFUSIONS = 2000  # on the page; all are in confusions.csv
NUM_POINTS_OF_MANY, MANY_CLASSES = 24, 1000  # points of a curve where there are many
COLUMNS = {  # of the table of classes: label, format, what it is
    "average_precision": ("AP", "score", "average precision over all clips"),
    "auc": ("AUC", "score", "area under the ROC curve"),
    "d_prime": ("d′", "ratio", "√2·Φ⁻¹(AUC)"),
    "lwlrap": ("lwlrap", "score", "label-ranking average precision in the clips that have the class"),
    "train_positives": ("Train", "count", "clips trained on that have the class"),
    "positives": ("Eval", "count", "evaluated clips that have the class"),
    "lift": ("Lift", "ratio", "AP over the share of clips that have the class: guessing has 1"),
    "label_quality": ("Label quality", "percent", "of the clips that people checked, those whose label was right"),
}


@dataclasses.dataclass(frozen=True)
class Tables:
    """What is behind the page.

    Attributes:
        classes: see `class_table`.
        clips: see `hardest_clips`.
        confusions: see `confusions`.
        reliability: see `reliability_bins`.
    """

    classes: pd.DataFrame
    clips: pd.DataFrame
    confusions: pd.DataFrame
    reliability: list[dict] | None


def make_tables(evaluated: Evaluated) -> Tables:
    """Computes the tables of a report.

    Raises:
        UserError: as `evaluate` does.
    """
    scores = evaluated.scores
    probabilities, labels = checked(scores.probabilities, scores.labels)
    check_any_positive(np.count_nonzero(labels), len(labels))
    places = label_places(unrated_last(probabilities, scores.rated), labels)
    return Tables(
        class_table(evaluated),
        hardest_clips(scores, places),
        confusions(probabilities, labels, places, scores.rated),
        reliability_bins(scores),
    )


def page_content(evaluated: Evaluated, tables: Tables) -> dict:
    """Returns what the page's scripts take: JSON's types alone, no NaN, numbers of five digits."""
    classes = tables.classes
    content = {
        "title": title(evaluated),
        "summary": summary(classes["positives"].tolist()),
        "about": provenance_rows(evaluated.about),
        "headlines": headlines(evaluated),
        "has_intervals": bool(evaluated.intervals),
        "classes": {name: classes[name].tolist() for name in classes if name != "prior"},
        "columns": [_column(name) for name in COLUMNS if name in classes],
        "class_note": _class_note(classes),
        "against": _against(classes),
        "extremes": _extremes(classes),
        "chosen": _chosen(classes),
        "curves": _curves(evaluated),
        "reliability": tables.reliability or [],
        "confusions": tables.confusions.head(MOST_CONFUSIONS).to_dict("list"),
        "hardest": _hardest(evaluated, tables.clips),
        "ontology": ontology_tables(evaluated.branches),
        "violations": violations(evaluated.branches),
        "training": training_curves(evaluated.training_curves),
        "settings": [(name, shown(value)) for name, value in flat_settings(evaluated.settings)],
    }
    return as_json(content, digits=5)


def enough_positives(classes: pd.DataFrame) -> pd.DataFrame:
    """The classes that can be called best or worst, best first; with few clips all that have positives."""
    ranked = classes[classes["positives"] > 0].sort_values("average_precision", ascending=False, kind="stable")
    enough = ranked[ranked["positives"] >= ENOUGH_POSITIVES]
    return enough if len(enough) >= 3 else ranked


def _extremes(classes: pd.DataFrame) -> dict[str, list[int]]:
    ranked = enough_positives(classes)["index"].tolist()
    count = min(NUM_EXTREMES, (len(ranked) + 1) // 2)
    return {"best": ranked[:count], "worst": ranked[::-1][:count]}


def _chosen(classes: pd.DataFrame) -> list[int]:
    """The classes whose curves are shown at first: the best, the median and the worst."""
    ranked = enough_positives(classes)["index"].tolist()
    return list(dict.fromkeys(ranked[place] for place in (0, len(ranked) // 2, -1)))


def _class_note(classes: pd.DataFrame) -> str:
    least = ENOUGH_POSITIVES if enough_positives(classes)["positives"].min() >= ENOUGH_POSITIVES else 1
    return (
        "Figures of classes with few positives are uncertain: best and worst, and the curves shown at first, are of "
        f"those with at least {least} among the evaluated clips."
    )


def _against(classes: pd.DataFrame) -> dict:
    """What average precision is drawn against: positives trained on, else those evaluated."""
    if "train_positives" in classes:
        return {"key": "train_positives", "label": "Clips trained on that have the class", "noun": "clips trained on"}
    return {"key": "positives", "label": "Evaluated clips that have the class", "noun": "evaluated clips"}


def _column(name: str) -> dict:
    label, kind, about = COLUMNS[name]
    return {"key": name, "label": label, "format": kind, "about": about}


def _curves(evaluated: Evaluated) -> list[list[int] | None]:
    """Curves [recall, precision, recall, ...] in thousandths, None for a class without positives."""
    scores = evaluated.scores
    num_classes = scores.labels.shape[1]
    given = unrated_last(scores.probabilities, scores.rated)
    most = NUM_POINTS if num_classes <= MANY_CLASSES else NUM_POINTS_OF_MANY
    curves = []
    for index in range(num_classes):
        labels = scores.labels[:, index] != 0
        points = precision_recall(given[:, index], labels, most) if labels.any() else None
        curves.append(None if points is None else (1000 * points).round().astype(int).ravel().tolist())
    return curves


def _hardest(evaluated: Evaluated, clips: pd.DataFrame) -> list[dict]:
    """The clips, with the scores of what was guessed."""
    given = evaluated.scores.probabilities
    rows = clips.to_dict("records")
    for row in rows:
        row["guesses"] = [[index, float(given[row["clip"], index])] for index in row["guesses"]]
    return rows
