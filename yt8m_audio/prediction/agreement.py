"""Whether an exported model says what the model says: both are run on the same clips and compared.

    found = agreement(model_runner(model), litert_runner(content), batches)
    found.difference, found.drop                # largest difference of a score; mAP lost

A runner is a function of NumPy arrays, features [N, T, D] and num_frames [N], that gives probabilities [N, C].
"""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.batch import dequantize, only_rated
from yt8m_audio.evaluation.metrics import average_precision_per_class
from yt8m_audio.prediction.signatures import FEATURES, probabilities_function

Runner = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """What came of a comparison.

    Attributes:
        clips: how many were compared.
        difference: the largest of a score; nan where one is not finite.
        model_map: mAP of the model on these clips; nan without labels.
        exported_map: mAP of what was exported.
    """

    clips: int
    difference: float
    model_map: float
    exported_map: float

    @property
    def drop(self) -> float:
        """mAP that the export loses."""
        return self.model_map - self.exported_map


def agreement(model: Runner, exported: Runner, clips: Iterable[dict[str, np.ndarray]]) -> Agreement:
    """Compares two runners on batches of real clips (see yt8m_audio.batch), without rows that fill up."""
    found = [(model(*_inputs(batch)), exported(*_inputs(batch)), batch) for batch in clips]
    ours, theirs, labels = (np.concatenate(each) for each in zip(*map(_rated, found), strict=True))
    return Agreement(
        clips=len(labels),
        difference=float(np.abs(ours - theirs).max()),  # nan, should one be that
        model_map=_mean_average_precision(ours, labels),
        exported_map=_mean_average_precision(theirs, labels),
    )


def first_clips(batches: tf.data.Dataset, most: int, features: tf.TensorSpec) -> list[dict[str, np.ndarray]]:
    """The first clips of a data set, batch by batch, their features as the model is fed them."""
    taken, left = [], most
    for batch in batches:
        if batch["features"].dtype != features.dtype:
            batch = {**batch, "features": dequantize(batch["features"])}
        real = np.flatnonzero(batch["example_weights"].numpy() > 0)[:left]
        taken.append({key: value.numpy()[real] for key, value in batch.items()})
        left -= len(real)
        if not left:
            break
    return taken


def model_runner(model: keras.Model, temperature: float = 1.0) -> Runner:
    """Runs a model as it is, its logits divided by a temperature."""
    probabilities = probabilities_function(model, temperature)
    return lambda features, num_frames: probabilities(tf.constant(features), tf.constant(num_frames)).numpy()


def saved_model_runner(folder: Path) -> Runner:
    """Runs a SavedModel by its signature of plain features."""
    loaded = tf.saved_model.load(str(folder))  # kept: it owns the variables
    predict = loaded.signatures[FEATURES]

    def run(features: np.ndarray, num_frames: np.ndarray) -> np.ndarray:
        return predict(features=tf.constant(features), num_frames=tf.constant(num_frames))["predictions"].numpy()

    run.loaded = loaded
    return run


def keras_file_runner(path: Path) -> Runner:
    """Runs Keras' own file, loaded in safe mode: code in it is not run."""
    return model_runner(keras.models.load_model(path, compile=False, safe_mode=True))


def _inputs(batch: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return batch["features"], batch["num_frames"]


def _rated(found: tuple[np.ndarray, np.ndarray, dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of the model and of the export, and labels, of a batch; where segments are, only of what was rated."""
    ours, theirs, batch = found
    weights = batch.get("label_weights")
    return only_rated(ours, weights), only_rated(theirs, weights), batch["labels"]


def _mean_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """AudioSet's mAP over the classes that have a clip here."""
    there = labels.any(axis=0)
    if not there.any() or not np.isfinite(scores).all():
        return float("nan")
    return float(np.mean(average_precision_per_class(scores[:, there], labels[:, there])))
