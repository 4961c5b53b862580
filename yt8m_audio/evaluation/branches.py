"""Figures by group of classes, and how often scores contradict what classes are kinds of.

    branch_figures(scores, labels, {"Animal": [72, 73, 74], "Music": [137, 138]})
    violations(scores, labels, pairs=[(73, 72), (74, 72)])          # (child, parent): a dog is an animal

Classes are numbers here: which of them form a group is the caller's to say.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.blocks import clip_blocks
from yt8m_audio.evaluation.class_rankings import d_prime_of_mean, rank_classes
from yt8m_audio.evaluation.inputs import checked, checked_rated, unrated_last
from yt8m_audio.evaluation.thresholds import mean_defined


def branch_figures(
    scores: ArrayLike, labels: ArrayLike, branches: Mapping[str, Sequence[int]], *, rated: ArrayLike | None = None
) -> dict[str, dict[str, int | float]]:
    """Returns the macro figures of each group of classes.

    Every class is ranked over all clips, as in `evaluate`: a group of all classes gives its `mAP` and `auc`.

    Args:
        scores: [clips, C].
        labels: [clips, C], 0 or 1.
        branches: class indices by name of the group; a class may be in several.
        rated: of segments, bool [clips, C], as `evaluate` takes it.

    Returns:
        By name: `classes` of the group, those of them `with_positives`, their `positives` over all clips, and
        `mAP`, `auc` and `d_prime` (of the mean AUC): means over the classes where they are defined, nan where they
        are of none.

    Raises:
        UserError: as `evaluate` does; if a group has no class, or one that is not there.
    """
    scores, labels = checked(scores, labels)
    rankings = rank_classes(unrated_last(scores, checked_rated(rated, labels)), labels)
    num_positives = rankings.num_positives  # (C,)
    found = {}
    for name, members in branches.items():
        classes = _checked_classes(name, members, len(num_positives))
        mean_auc = mean_defined(rankings.auc[classes])
        found[name] = {
            "classes": len(classes),
            "with_positives": int(np.count_nonzero(num_positives[classes])),
            "positives": int(num_positives[classes].sum()),
            "mAP": mean_defined(rankings.average_precision[classes]),
            "auc": mean_auc,
            "d_prime": d_prime_of_mean(mean_auc, rankings.num_pairs[classes]),
        }
    return found


def violations(
    scores: ArrayLike, labels: ArrayLike, pairs: Sequence[tuple[int, int]], *, rated: ArrayLike | None = None
) -> dict[str, int | float]:
    """Returns how often a class scores above the class that it is a kind of.

    A clip violates a pair (child, parent) where the child's score is above the parent's: what is a dog with
    probability .8 is an animal with .8 at least. Equal scores violate nothing.

    Args:
        scores: [clips, C].
        labels: [clips, C], 0 or 1.
        pairs: class indices (child, parent), each in 0 to C - 1.
        rated: of segments, bool [clips, C], as `evaluate` takes it: a pair counts in the clips for which both of its
            classes were rated, and a clip that has one such pair.

    Returns:
        `pairs`: how many there are; `rate`: share of violations among all clips × pairs; `rate_of_true`: the same
        among those (clip, pair) whose child is true of the clip; `rate_of_labels`: share of these whose parent is not
        labelled, which a model learns to imitate (62 % in AudioSet's balanced split); `clips`: share of the clips that
        violate some pair. In [0, 1], nan where there is nothing to count.

    Raises:
        UserError: as `evaluate` does.
    """
    scores, labels = checked(scores, labels)
    rated = checked_rated(rated, labels)
    children, parents = np.array(pairs, np.int64).reshape(-1, 2).T  # (P,), (P,)
    counts = np.zeros(7, np.int64)
    for block in clip_blocks(*scores.shape):
        counts += _counts(scores[block], labels[block], None if rated is None else rated[block], children, parents)
    counted, violated, true, of_true, of_labels, clips, clips_counted = counts.tolist()
    return {
        "pairs": len(children),
        "rate": _share(violated, counted),
        "rate_of_true": _share(of_true, true),
        "rate_of_labels": _share(of_labels, true),
        "clips": _share(clips, clips_counted),
    }


def _counts(
    scores: np.ndarray, labels: np.ndarray, rated: np.ndarray | None, children: np.ndarray, parents: np.ndarray
) -> np.ndarray:
    """Of some clips, from [n, C] each: what `violations` counts, int64 [7]."""
    counted = np.ones((len(scores), len(children)), bool)  # (n, P)
    if rated is not None:
        counted = rated[:, children] & rated[:, parents]
    above = counted & (scores[:, children] > scores[:, parents])
    true = counted & labels[:, children]
    of_pairs = counted, above, true, above & true, true & ~labels[:, parents]
    return np.array([*map(np.count_nonzero, (*of_pairs, above.any(axis=1), counted.any(axis=1)))])


def _checked_classes(name: str, members: Sequence[int], num_classes: int) -> np.ndarray:
    classes = np.unique(np.array(members, np.int64))
    if not classes.size or classes[0] < 0 or classes[-1] >= num_classes:
        raise UserError(
            f"The group {name} must hold classes from 0 to {num_classes - 1}, one at least. Received: {list(members)}."
        )
    return classes


def _share(count: int, whole: int) -> float:
    return count / whole if whole else math.nan
