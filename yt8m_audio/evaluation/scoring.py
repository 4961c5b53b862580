"""Runs a model over clips, batch by batch, and collects what the metrics need.

    score_batch = scoring_function(model, loss=CrossEntropyLoss())
    scores = score(score_batch, clips.in_order(1024), num_clips=len(clips), num_classes=527)
    evaluate(scores.probabilities, scores.labels, loss=scores.loss, rated=scores.rated)

Scores are kept whole on the host, as the ranking metrics look at all clips of a class; `scored_batches` keeps none.
"""

from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from yt8m_audio.batch import device_part, model_inputs, only_rated
from yt8m_audio.evaluation.collecting import collect
from yt8m_audio.evaluation.scores import Scores


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
    return collect(scored_batches(score_batch, dataset), num_clips, num_classes, progress)


def scored_batches(score_batch: Callable, dataset: tf.data.Dataset) -> Iterator[Scores]:
    """Scores a data set batch by batch, for what does not keep the scores; takes what `score` takes."""
    for batch in dataset:
        probabilities, losses = score_batch(device_part(batch))
        real = batch["example_weights"].numpy() > 0
        rated = batch["label_weights"].numpy()[real] != 0 if "label_weights" in batch else None
        yield Scores(
            probabilities=probabilities.numpy()[real],
            labels=batch["labels"].numpy()[real],
            loss=float(losses.numpy()[real].sum() / max(real.sum(), 1)),
            rated=rated,
            video_ids=batch["video_id"].numpy()[real],
            start_times=batch["start_time"].numpy()[real],
        )
