"""The scores and labels that metrics take, and one line about those that they do not."""

import numpy as np
from numpy.typing import ArrayLike

from yt8m_audio.errors import UserError


class NotFiniteError(UserError):
    """Scores that are NaN or infinite, as those of a model that diverged are."""


def checked(scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores as float32 or float64 and labels as bool, both [clips, classes].

    Raises:
        UserError: no clips, shapes that differ or are not 2-D, NaN or infinite scores, labels other than 0 and 1.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise UserError(
            "Scores and labels must have the same shape [clips, classes]; give both a row per clip and a "
            f"column per class. Received: scores {scores.shape}, labels {labels.shape}."
        )
    check_any_clip(scores.shape)
    return _checked_scores(scores), _checked_labels(labels)


def checked_rated(rated: ArrayLike | None, labels: np.ndarray) -> np.ndarray | None:
    """Returns which classes were rated as bool [clips, classes], None where all were.

    Raises:
        UserError: the shape is not that of the labels, or a class that was not rated is true.
    """
    if rated is None:
        return None
    rated = np.asarray(rated, bool)
    if rated.shape != labels.shape:
        raise UserError(
            "What was rated must have the shape of the labels [clips, classes]; give a row per clip and a column per "
            f"class. Received: rated {rated.shape}, labels {labels.shape}."
        )
    unknown = np.count_nonzero(labels & ~rated)
    if unknown:
        raise UserError(
            "A class that was not rated cannot be true; leave such labels out. Received: "
            f"{unknown} of {np.count_nonzero(labels)} labels that were not rated."
        )
    return rated


def unrated_last(scores: np.ndarray, rated: np.ndarray | None) -> np.ndarray:
    """Scores [clips, classes] with -inf for what was not rated: below all that was, whatever score that has."""
    return scores if rated is None else np.where(rated, scores, scores.dtype.type(-np.inf))


def check_any_clip(shape: tuple[int, int]) -> None:
    """Raises a UserError where there are no clips, or no classes, from the shape of the scores."""
    if 0 in shape:
        raise UserError(
            "Metrics need at least one clip and one class; check that the evaluated files hold records. "
            f"Received: scores {shape} of [clips, classes]."
        )


def check_any_positive(num_positives: int, num_clips: int) -> None:
    """Raises a UserError where no clip has any label, so that no ranking can be right or wrong."""
    if not num_positives:
        raise UserError(
            "Metrics need at least one label; check that the evaluated files hold labels of the classes of the model. "
            f"Received: {num_clips:,} clips, none with a label."
        )


def _checked_scores(scores: np.ndarray) -> np.ndarray:
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float32 if scores.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(scores)
    if not finite.all():
        clip, index = np.argwhere(~finite)[0]
        raise NotFiniteError(
            "Scores must be finite; did the loss diverge? Evaluate an earlier checkpoint. Received: "
            f"{np.count_nonzero(~finite)} of {finite.size} NaN or infinite, "
            f"the first {scores[clip, index]} at clip {clip}, class {index}."
        )
    return scores


def _checked_labels(labels: np.ndarray) -> np.ndarray:
    if labels.dtype == bool:
        return labels
    if labels.dtype == np.uint8 and labels.max() <= 1:
        return labels.view(bool)  # what readers give, without a copy
    known = (labels == 0) | (labels == 1)
    if not known.all():
        clip, index = np.argwhere(~known)[0]
        raise UserError(
            "Labels must be 0 or 1; turn soft labels into 0 and 1 by a threshold first. Received: "
            f"{np.count_nonzero(~known)} of {known.size} with another value, "
            f"the first {labels[clip, index]} at clip {clip}, class {index}."
        )
    return labels.astype(bool)
