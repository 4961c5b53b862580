"""Predicts the top-k labels of clips, and hands them to a writer while the next batch is computed.

with csv_writer("predictions.csv", names=None) as write:
    predict(model, clips.in_order(512), top_k=20, write=write)
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import tensorflow as tf

from yt8m_audio.batch import model_inputs


def top_k_function(model: keras.Model, top_k: int) -> Callable:
    """Makes the function that gives the classes int32 [B, k] and probabilities float32 [B, k] of a batch, best first.

    Equal scores are in the order of their class indices. k is at most the number of classes.
    """

    @tf.function
    def top_k_of_batch(inputs):
        logits = model(inputs, training=False)  # [B, C]
        best = tf.math.top_k(logits, k=min(top_k, logits.shape[-1]))
        return best.indices, tf.sigmoid(best.values)

    return top_k_of_batch


def predict(
    model: keras.Model, dataset: tf.data.Dataset, top_k: int, write: Callable, progress: Callable = lambda done: None
) -> int:
    """Predicts every clip of a data set once, in its order.

    Args:
        model: gives logits.
        dataset: batches (see yt8m_audio.batch); rows of weight 0 are left out.
        top_k: classes a clip.
        write: called with video_ids (bytes [n]), classes (int [n, k]) and scores (float32 [n, k]), in order.
        progress: called with the number of clips done, after each batch.

    Returns:
        The number of clips.
    """
    top_k_of_batch = top_k_function(model, top_k)
    done, written = 0, None
    with ThreadPoolExecutor(1) as writer:  # formats one batch while the device computes the next
        for batch in dataset:
            classes, scores = top_k_of_batch(model_inputs(batch))
            real = batch["example_weights"].numpy() > 0
            rows = (batch["video_id"].numpy()[real], classes.numpy()[real], scores.numpy()[real])
            if written:
                written.result()
            written = writer.submit(write, *rows)
            done += int(real.sum())
            progress(done)
        if written:
            written.result()
    return done
