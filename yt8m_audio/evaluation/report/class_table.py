"""Figures of every class, a row each."""

import numpy as np
import pandas as pd

from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.metrics import (
    average_precision_per_class,
    d_prime_per_class,
    lwlrap_per_class,
    roc_auc_per_class,
)


def class_table(evaluated: Evaluated) -> pd.DataFrame:
    """Makes the table of classes, in their order.

    Returns:
        Columns `index`, `mid` (where classes have ids), `name`, `average_precision`, `auc`, `d_prime`, `lwlrap`,
        `positives`, `train_positives` (where they are known), `prior` (share of the rated clips that have the class),
        `lift` (average precision over prior: a model that guesses has 1) and `label_quality` (where it is known). Nan
        where a figure is undefined.
    """
    scores = evaluated.scores
    num_clips, num_classes = scores.labels.shape
    num_unrated = scores.num_unrated
    num_rated = np.full(num_classes, num_clips) - (0 if num_unrated is None else num_unrated)  # [C]
    positives = np.count_nonzero(scores.labels, axis=0)  # [C]
    prior = _ratio(positives, num_rated)
    average_precision = average_precision_per_class(scores.probabilities, scores.labels)
    table = {
        "index": np.arange(num_classes),
        "mid": list(evaluated.class_ids) or None,
        "name": list(evaluated.class_names),
        "average_precision": average_precision,
        "auc": roc_auc_per_class(scores.probabilities, scores.labels, num_unrated),
        "d_prime": d_prime_per_class(scores.probabilities, scores.labels, num_unrated),
        "lwlrap": lwlrap_per_class(scores.probabilities, scores.labels),
        "positives": positives,
        "train_positives": evaluated.train_positives,
        "prior": prior,
        "lift": _ratio(average_precision, prior),
        "label_quality": evaluated.label_quality,
    }
    return pd.DataFrame({name: column for name, column in table.items() if column is not None})


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotients [C], nan over 0."""
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
