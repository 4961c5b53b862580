"""Figures of every class, a row each."""

import numpy as np
import pandas as pd

from yt8m_audio.evaluation.class_rankings import rank_classes
from yt8m_audio.evaluation.clip_rankings import label_places
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.inputs import checked, checked_rated, unrated_last
from yt8m_audio.evaluation.thresholds import quotients


def class_table(evaluated: Evaluated) -> pd.DataFrame:
    """Makes the table of classes, in their order.

    Returns:
        Columns `index`, `mid` (where classes have ids), `name`, `average_precision`, `auc`, `d_prime`, `lwlrap`,
        `positives`, `train_positives` (where they are known), `prior` (share of the rated clips that have the class),
        `lift` (average precision over prior: a model that guesses has 1) and `label_quality` (where it is known). Nan
        where a figure is undefined.
    """
    scores = evaluated.scores
    given, labels = checked(scores.probabilities, scores.labels)
    given = unrated_last(given, checked_rated(scores.rated, labels))
    ranked = rank_classes(given, labels)
    prior = quotients(ranked.num_positives, ranked.num_rated)  # [C]
    table = {
        "index": np.arange(len(prior)),
        "mid": list(evaluated.class_ids) or None,
        "name": list(evaluated.class_names),
        "average_precision": ranked.average_precision,
        "auc": ranked.auc,
        "d_prime": ranked.d_primes(),
        "lwlrap": label_places(given, labels).sums().lwlrap_per_class(),
        "positives": ranked.num_positives,
        "train_positives": evaluated.train_positives,
        "prior": prior,
        "lift": quotients(ranked.average_precision, prior),
        "label_quality": evaluated.label_quality,
    }
    return pd.DataFrame({name: column for name, column in table.items() if column is not None})
