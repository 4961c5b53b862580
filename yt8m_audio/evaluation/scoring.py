"""Runs a model over clips, batch by batch, and collects what the metrics need.

    score_batch = scoring_function(model, loss=CrossEntropyLoss())
    scores = score(score_batch, clips.in_order(1024), num_clips=len(clips), num_classes=527)
    evaluate(scores.probabilities, scores.labels, loss=scores.loss, num_unrated=scores.num_unrated)

Scores are kept whole on the host, as the ranking metrics look at all clips of a class.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.batch import device_part, model_inputs, only_rated


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a model says of clips, in their order.

    Attributes:
        probabilities: float32 [clips, C]; 0 for classes that were not rated.
        labels: uint8 [clips, C].
        loss: mean label loss a clip, of the rated classes.
        num_unrated: int64 [C], of segments, how many were not rated for each class; else None.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    loss: float
    num_unrated: np.ndarray | None = None


def scoring_function(model: keras.Model, loss: Callable) -> Callable:
    """Makes the function that scores one batch: its probabilities [B, C] and losses [B]."""

    @tf.function
    def score_batch(batch):
        logits = model(model_inputs(batch), training=False)
        label_weights = batch.get("label_weights")
        return only_rated(tf.sigmoid(logits), label_weights), loss(batch["labels"], logits, label_weights)

    return score_batch


def score(
    score_batch: Callable,
    dataset: tf.data.Dataset,
    num_clips: int,
    num_classes: int,
    progress: Callable = lambda done: None,
) -> Scores:
    """Scores every clip of a data set once.

    Args:
        score_batch: from `scoring_function`.
        dataset: batches (see yt8m_audio.batch); rows of weight 0 are left out.
        num_clips: how many clips the data set gives at most; corrupt records may turn out to have weight 0.
        num_classes: C.
        progress: called with the number of clips done, after each batch.
    """
    probabilities = np.empty((num_clips, num_classes), np.float32)
    labels = np.empty((num_clips, num_classes), np.uint8)
    losses, done, num_unrated = 0.0, 0, None
    for batch in dataset.map(device_part):
        batch_probabilities, batch_losses = score_batch(batch)
        real = batch["example_weights"].numpy() > 0
        rows = slice(done, done + int(real.sum()))
        probabilities[rows] = batch_probabilities.numpy()[real]
        labels[rows] = batch["labels"].numpy()[real]
        losses += float(batch_losses.numpy()[real].sum())
        if "label_weights" in batch:
            unrated = (batch["label_weights"].numpy()[real] == 0).sum(axis=0)
            num_unrated = unrated if num_unrated is None else num_unrated + unrated
        done = rows.stop
        progress(done)
    return Scores(probabilities[:done], labels[:done], losses / max(done, 1), num_unrated)
