"""The starter code's CrossEntropyLoss of probabilities, a clip at a time."""

import numpy as np

from yt8m_audio.evaluation.blocks import clip_blocks, in_threads

LOSS_EPSILON = 1e-5  # of the starter's CrossEntropyLoss


def cross_entropies(probabilities: np.ndarray, labels: np.ndarray, rated: np.ndarray | None = None) -> np.ndarray:
    """The loss of each clip (clips,), summed over the classes that were rated; nan for all where one is outside [0, 1].

    Takes what `yt8m_audio.evaluation.inputs.checked` and `checked_rated` return.
    """
    counted = True if rated is None else rated
    if probabilities.min(initial=0, where=counted) < 0 or probabilities.max(initial=1, where=counted) > 1:
        return np.full(len(labels), np.nan)

    def of_block(clips: slice) -> np.ndarray:
        block = probabilities[clips].astype(np.float64, order="C")  # (n, C)
        given = np.where(labels[clips], block, 1 - block) + LOSS_EPSILON
        where = True if rated is None else rated[clips]
        return -np.log(given, out=np.zeros(given.shape), where=where).sum(axis=1)

    return np.concatenate(in_threads(of_block, clip_blocks(*labels.shape)))
