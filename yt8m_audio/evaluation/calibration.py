"""Makes probabilities of scores that are too sure or not sure enough, and finds where to draw the line for each class.

    fitted = fit(probabilities, labels)      # of clips that the model was not trained on
    fitted.temperature, fitted.thresholds
    sigmoid(logits / fitted.temperature)     # as likely to be true as it says, for all classes taken together

One temperature for all logits (Guo et al. 2017, arXiv:1706.04599): the order of a clip's classes stays as it is, and so
do all ranking figures. A class's threshold is the one with the highest F1; that of a class with few positives would be
chance, so that it gets the threshold that is best for the pairs of all clips and classes together.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.blocks import PAIRS_PER_BLOCK, blocks
from yt8m_audio.evaluation.inputs import checked, checked_rated, unrated_last
from yt8m_audio.evaluation.reliability import bin_sums
from yt8m_audio.evaluation.thresholds import num_not_below
from yt8m_audio.run_directory import write_json

FILE = "calibration.json"
FEWEST_POSITIVES = 5  # of a class that gets a threshold of its own
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
HALVINGS = 24  # of the range of the logarithm: to 4e-7
SMALLEST, LARGEST = np.float32(1e-30), np.float32(1 - 2**-24)  # probabilities that float32 tells from 0 and 1


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was fitted, and on what.

    Attributes:
        temperature: that logits are divided by, above 0.
        thresholds: C probabilities, after the temperature; a class is taken for true from there on.
        shared_threshold: that of the classes with few positives.
        few_positives: indices of these classes.
        before: of the model's own probabilities, `loss`, the mean binary cross-entropy of a clip and class in nats, and
            `ece`, the expected calibration error (see yt8m_audio.evaluation.reliability).
        after: the same, at the temperature.
        fitted_on: where the scores came from; `step` is that of the checkpoint.
    """

    temperature: float
    thresholds: tuple[float, ...]
    shared_threshold: float
    few_positives: tuple[int, ...]
    before: dict[str, float]
    after: dict[str, float]
    fitted_on: dict[str, Any] = dataclasses.field(default_factory=dict)


def fit(probabilities: ArrayLike, labels: ArrayLike, rated: ArrayLike | None = None) -> Calibration:
    """Fits temperature and thresholds.

    Args:
        probabilities: [clips, C], sigmoids of logits.
        labels: [clips, C], 0 or 1.
        rated: bool [clips, C], of segments; None where all are. Only what was rated counts.

    Raises:
        UserError: as `evaluate` does, such as about NaN; if there is no positive.
    """
    probabilities, labels = checked(probabilities, labels)
    probabilities, rated = probabilities.astype(np.float32, copy=False), checked_rated(rated, labels)
    counted = np.ones(labels.shape, bool) if rated is None else rated
    if not labels[counted].any():
        raise UserError(f"Calibration needs labels: none of the {len(labels):,} clips has one. Give labelled clips.")
    logits, true = to_logits(probabilities[counted]), labels[counted]  # [pairs]
    temperature = fit_temperature(logits, true)
    scaled = unrated_last(at_temperature(probabilities, temperature), rated)
    shared = best_threshold(scaled.ravel(), labels.ravel())
    thresholds, few = thresholds_per_class(scaled, labels, shared)
    return Calibration(
        temperature=temperature,
        thresholds=tuple(thresholds),
        shared_threshold=shared,
        few_positives=tuple(few),
        before=quality(probabilities[counted], true),
        after=quality(scaled[counted], true),
    )


def is_at_bound(temperature: float) -> bool:
    """Whether a temperature is as low or as high as is looked for."""
    return not 1.001 * LEAST_TEMPERATURE < temperature < 0.999 * MOST_TEMPERATURE


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits of probabilities, float32; 0 and 1 are taken as the nearest float32 that is finite, -69 and 16.6."""
    inside = np.clip(probabilities.astype(np.float32), SMALLEST, LARGEST)
    return np.log(inside) - np.log1p(-inside)


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose logits were divided by the temperature, float32."""
    return _sigmoid(to_logits(probabilities) / np.float32(temperature))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in [.05, 20] with the least binary cross-entropy, from logits and labels [pairs].

    The loss is convex in 1 / T, so that its slope has one zero, which is found by halving.
    """
    of_positives = logits[labels].sum(dtype=np.float64)
    low, high = math.log(LEAST_TEMPERATURE), math.log(MOST_TEMPERATURE)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _expected(logits, math.exp(-middle)) > of_positives:  # too sure: a higher temperature is better
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The threshold with the highest F1, of scores [N] in [0, 1] and labels bool [N] with at least one positive.

    Scores of -inf stand for what was not rated.

    The highest of equal ones, halfway to the next score below, so that rounding does not move a score across.
    """
    ranked, positives = np.sort(scores), np.unique(scores[labels])  # ascending
    true = num_not_below(np.sort(scores[labels]), positives)
    below = np.searchsorted(ranked, positives, "left")
    f1 = 2 * true / (len(ranked) - below + np.count_nonzero(labels))
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    next_below = max(float(ranked[below[best] - 1]), 0.0) if below[best] else 0.0
    return (float(positives[best]) + next_below) / 2


def thresholds_per_class(scores: np.ndarray, labels: np.ndarray, shared: float) -> tuple[list[float], list[int]]:
    """The threshold of each class with the highest F1, from [clips, C] each; and which classes get the shared one."""
    num_positives = np.count_nonzero(labels, axis=0)  # [C]
    few = np.flatnonzero(num_positives < FEWEST_POSITIVES).tolist()
    columns = enumerate(zip(scores.T, labels.T, strict=True))
    rare = set(few)
    return [shared if index in rare else best_threshold(*column) for index, column in columns], few


def write_calibration(calibration: Calibration, folder: Path) -> Path:
    """Writes calibration.json into a run directory; returns its path."""
    write_json(folder / FILE, dataclasses.asdict(calibration))
    return folder / FILE


def read_calibration(folder: Path, num_classes: int) -> Calibration | None:
    """Reads calibration.json of a run directory; None where there is none.

    Raises:
        UserError: if it is damaged, or of another number of classes.
    """
    path = folder / FILE
    again = "fit it anew with `python -m yt8m_audio calibrate`, or give --calibration=none"
    try:
        found = _with_tuples(Calibration(**json.loads(path.read_text())))
        sane = 0 < float(found.temperature) < math.inf and all(0 <= each <= 1 for each in found.thresholds)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({str(error).splitlines()[0]}): {again}.") from error
    if not sane or len(found.thresholds) != num_classes:
        raise UserError(
            f"{path} holds temperature {found.temperature} and {len(found.thresholds)} thresholds, and the model has "
            f"{num_classes} classes: {again}."
        )
    return found


def _with_tuples(read: Calibration) -> Calibration:
    return dataclasses.replace(read, thresholds=tuple(read.thresholds), few_positives=tuple(read.few_positives))


def quality(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How well probabilities fit what is true, of pairs of a clip and a class, [pairs] each: see `Calibration`."""
    bins = bin_sums([probabilities], probabilities[labels])
    loss = 0.0
    for block in blocks(len(labels), PAIRS_PER_BLOCK):
        inside = np.clip(probabilities[block], SMALLEST, LARGEST)
        loss -= np.where(labels[block], np.log(inside), np.log1p(-inside)).sum(dtype=np.float64)
    return {"loss": float(loss / len(labels)), "ece": bins.expected_calibration_error()}


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Without overflow: of -|x|, and for positive x 1 less that."""
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1, small) / (1 + small)


def _expected(logits: np.ndarray, scale: float) -> float:
    """Σ z σ(scale · z) over the pairs."""
    total = 0.0
    for block in blocks(len(logits), PAIRS_PER_BLOCK):
        total += float(logits[block] @ _sigmoid(logits[block] * np.float32(scale)))
    return total
