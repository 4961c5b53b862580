"""What the figures are called, and what they mean, in a line each."""

import math

from yt8m_audio.evaluation.evaluated import Evaluated

MEANINGS = {
    "hit@1": ("Hit@1", "clips whose highest class is true"),
    "perr": ("PERR", "precision at equal recall rate"),
    "gap": ("GAP@{k}", "global average precision of each clip's {k} best"),
    "map": ("MAP@{k}", "the starter code's MAP, of each clip's {k} best"),
    "mAP": ("mAP", "AudioSet's mean average precision, full ranking"),
    "auc": ("AUC", "area under the ROC curve, mean over classes"),
    "d_prime": ("d′", "√2·Φ⁻¹ of the mean AUC"),
    "d_prime_class_mean": ("d′, class mean", "mean of the classes' own d′"),
    "loss": ("Loss", "label loss a clip (lower is better)"),
    "lwlrap": ("lwlrap", "label-ranking average precision, labels equal"),
    "lwlrap_class_mean": ("lwlrap, class mean", "label-ranking average precision, classes equal"),
    "micro_ap": ("Micro AP", "average precision of all pairs in one ranking"),
    "coverage": ("Coverage", "best classes it takes to have all true ones"),
    "ece": ("ECE", "expected calibration error of all pairs"),
}
TILES = ("mAP", "auc", "d_prime", "lwlrap", "gap")


def headlines(evaluated: Evaluated) -> list[dict]:
    """Returns the figures, in their order: `key`, `label`, `value`, `low` and `high` (nan without), `meaning`, `tile`.

    `tile` is the place among the most important ones, or None. Counts, such as that of the clips, are no figures. One
    that has no meaning here keeps its own name.
    """
    intervals = evaluated.intervals or {}
    rows = []
    for key, value in evaluated.figures.items():
        if isinstance(value, float):
            low, high = intervals.get(key, (math.nan, math.nan))
            rows.append({"key": key, "value": value, "low": low, "high": high, **_named(key)})
    return rows


def _named(key: str) -> dict:
    name, _, k = (key, "", "") if key in MEANINGS else key.partition("@")
    label, meaning = MEANINGS.get(name, (key, ""))
    tile = TILES.index(name) if name in TILES else None
    return {"label": label.format(k=k), "meaning": meaning.format(k=k), "tile": tile}
