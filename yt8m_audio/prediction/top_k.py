"""Predicts the top-k labels of clips, and hands them to a writer while the next batch is computed.

predict = predictor(model, top_k=20)
with csv_writer("predictions.csv", names=None) as write:
    predict(clips.in_order(512), write)
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.batch import model_inputs
from yt8m_audio.errors import UserError

DROPPED = -1  # in place of a class that is below its threshold


def clip_names(batch: dict) -> np.ndarray:
    """What clips are called: their ids, and of segments, as the starter code writes them, `id:start`; bytes [B]."""
    ids = batch["video_id"].numpy()
    if "label_weights" not in batch:
        return ids
    pairs = zip(ids, batch["start_time"].numpy(), strict=True)
    return np.array([b"%b:%d" % (video_id, start) for video_id, start in pairs], object)


def predictor(
    model: keras.Model, top_k: int, temperature: float = 1.0, thresholds: np.ndarray | float | None = None
) -> Callable:
    """Makes a function that predicts every clip of a data set once, in its order.

    Args:
        model: gives logits.
        top_k: classes a clip, at most all of them; equal scores are in the order of their class indices.
        temperature: that logits are divided by.
        thresholds: scores from which a class is kept, one for all or one for each class [C]; None keeps all.

    Returns:
        A function of

            dataset: batches (see yt8m_audio.batch); rows of weight 0 are left out.
            write: called with the clips' names (bytes [n]), classes (int32 [n, k], -1 for one below its threshold) and
                scores (float32 [n, k]), in order.
            progress: called with the number of clips done, after each batch.

        that returns the number of clips, and raises a UserError where a score is not finite.
    """

    @tf.function
    def best_of_batch(inputs):
        logits = model(inputs, training=False)  # [B, C]
        best = tf.math.top_k(logits, k=min(top_k, logits.shape[-1]))
        scores = tf.sigmoid(best.values / temperature)  # [B, k]
        if thresholds is None:
            return best.indices, scores
        least = tf.broadcast_to(tf.cast(thresholds, scores.dtype), logits.shape[-1:])  # [C]
        return tf.where(scores >= tf.gather(least, best.indices), best.indices, DROPPED), scores

    def predict(dataset: tf.data.Dataset, write: Callable, progress: Callable = lambda done: None) -> int:
        done, written = 0, None
        with ThreadPoolExecutor(1) as writer:  # formats one batch while the device computes the next
            for batch in dataset:
                classes, scores = best_of_batch(model_inputs(batch))
                real = batch["example_weights"].numpy() > 0
                rows = (clip_names(batch)[real], classes.numpy()[real], scores.numpy()[real])
                if not np.isfinite(rows[2]).all():
                    clip = rows[0][~np.isfinite(rows[2]).all(axis=1)][0].decode(errors="replace")
                    raise UserError(
                        f"The model's scores of clip {clip} are not finite: its weights or features are broken."
                    )
                if written:
                    written.result()
                written = writer.submit(write, *rows)
                done += int(real.sum())
                progress(done)
            if written:
                written.result()
        return done

    return predict
