"""Puts the scores of batches together: all of them, for the figures and the report that look at every clip."""

from collections.abc import Callable, Iterable

import numpy as np

from yt8m_audio.evaluation.scores import Scores


def collect(
    batches: Iterable[Scores], num_clips: int, num_classes: int, progress: Callable = lambda done: None
) -> Scores:
    """Makes one of the scores of batches.

    Args:
        batches: in their order.
        num_clips: how many clips they hold at most; corrupt records may turn out to be none.
        num_classes: C.
        progress: called with the number of clips done, after each batch.
    """
    probabilities = np.empty((num_clips, num_classes), np.float32)
    labels = np.empty((num_clips, num_classes), np.uint8)
    video_ids, start_times = np.empty(num_clips, object), np.empty(num_clips, np.float32)
    loss, done, rated = 0.0, 0, None
    for batch in batches:
        rows = slice(done, done + len(batch.labels))
        probabilities[rows], labels[rows] = batch.probabilities, batch.labels
        video_ids[rows], start_times[rows] = batch.video_ids, batch.start_times
        loss += batch.loss * len(batch.labels)
        if batch.rated is not None:
            rated = np.ones((num_clips, num_classes), bool) if rated is None else rated
            rated[rows] = batch.rated
        done = rows.stop
        progress(done)
    kept = slice(done)
    mean_loss, rated = loss / max(done, 1), None if rated is None else rated[kept]
    return Scores(probabilities[kept], labels[kept], mean_loss, rated, video_ids[kept], start_times[kept])
