"""Which class stands above one that is true, though it is not true of the clip itself."""

import numpy as np
import pandas as pd

from yt8m_audio.evaluation.blocks import blocks
from yt8m_audio.evaluation.clip_rankings import LabelPlaces

PER_CLASS = 3
CLIPS_PER_BLOCK = 1024  # keeps temporaries of [block, C] to a few MB


def confusions(
    probabilities: np.ndarray, labels: np.ndarray, places: LabelPlaces, rated: np.ndarray | None = None
) -> pd.DataFrame:
    """Finds the classes that stand above each class most often.

    A frequent class stands above most others for being frequent. `times_usual` tells such from a real likeness: it
    is `share` over the share of all true classes, of any kind, that the same class stands above where it is not true.

    Args:
        probabilities: [N, C].
        labels: bool [N, C].
        places: of the labels.
        rated: of segments, bool [N, C]: what was not rated is neither true nor not true of a clip.

    Returns:
        At most three rows a true class, most clips first: `true` and `above` (class indices), `clips` (that have
        `true` and not `above`, and where `above` scores higher), `of` (that have `true` and not `above`), `share`
        = clips / of, `times_usual`.
    """
    counts, chances = count_above(probabilities, labels, places, rated)  # [C, C] each
    usual = counts.sum(axis=0) / np.maximum(chances.sum(axis=0), 1)  # [C]
    depth = min(PER_CLASS, counts.shape[1])
    above = np.argsort(-counts, axis=1, kind="stable")[:, :depth].ravel()
    true = np.repeat(np.arange(len(counts)), depth)
    some = counts[true, above] > 0
    true, above = true[some], above[some]
    clips, of = counts[true, above], chances[true, above]
    columns = {"true": true, "above": above, "clips": clips, "of": of, "share": clips / of}
    table = pd.DataFrame({**columns, "times_usual": clips / of / usual[above]})
    return table.sort_values(["clips", "share"], ascending=False, kind="stable", ignore_index=True)


def count_above(
    probabilities: np.ndarray, labels: np.ndarray, places: LabelPlaces, rated: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Counts clips by true class and other class.

    Returns:
        Two of int32 [C, C]: clips that have the first class and not the second, and where the second scores higher;
        and all that have the first and not the second.
    """
    num_classes = labels.shape[1]
    counts, chances = np.zeros((2, num_classes, num_classes), np.int32)
    order = np.argsort(places.classes, kind="stable")  # class by class
    ends = np.cumsum(np.bincount(places.classes, minlength=num_classes))
    for true, clips in enumerate(np.split(places.clips[order], ends[:-1])):
        for block in blocks(len(clips), CLIPS_PER_BLOCK):
            rows = clips[block]
            not_true = ~labels[rows] if rated is None else ~labels[rows] & rated[rows]  # [n, C]
            higher = probabilities[rows] > probabilities[rows, true, np.newaxis]
            chances[true] += np.count_nonzero(not_true, axis=0).astype(np.int32)
            counts[true] += np.count_nonzero(higher & not_true, axis=0).astype(np.int32)
    return counts, chances
