"""The clips that a model understands least: a true class far down its ranking, or a high loss."""

import re

import numpy as np
import pandas as pd

from yt8m_audio.evaluation.clip_rankings import LabelPlaces
from yt8m_audio.evaluation.cross_entropy import cross_entropies
from yt8m_audio.evaluation.scores import Scores

NUM_CLIPS = 100  # by place, and as many by loss
NUM_GUESSES = 3
YOUTUBE_ID = re.compile(rb"[A-Za-z0-9_-]{11}")


def hardest_clips(scores: Scores, places: LabelPlaces, num_clips: int = NUM_CLIPS) -> pd.DataFrame:
    """Finds the clips whose lowest true class stands lowest, and those of the highest loss.

    Returns:
        A row a clip, lowest true class first: `clip` (row of the scores), `video_id`, `start_time` in seconds, `url`
        ("" where the id is none of YouTube's), `place` (of the lowest true class, 1 is the best), `loss` (the
        starter's cross-entropy, summed over classes; nan where a score is outside [0, 1]), `true` (lists of class
        indices, lowest first), `places` (theirs), `guesses` (lists of the three best classes).
    """
    lowest = np.zeros(len(scores.labels), np.int64)
    np.maximum.at(lowest, places.clips, places.places)
    losses = cross_entropies(scores.probabilities, scores.labels != 0, scores.rated)
    chosen = np.union1d(_largest(lowest, num_clips), _largest(np.nan_to_num(losses), num_clips))
    chosen = chosen[lowest[chosen] > 0]  # with a label
    chosen = chosen[np.lexsort((-losses[chosen], -lowest[chosen]))]
    rows = [_row(scores, places, clip) for clip in chosen]
    table = pd.DataFrame(rows, columns=["clip", "video_id", "start_time", "url", "true", "places", "guesses"])
    table.insert(4, "place", lowest[chosen])
    table.insert(5, "loss", losses[chosen])
    return table


def video_url(video_id: bytes, start_time: float) -> str:
    """Address of a video at a second; "" where the id cannot be one of YouTube's, as YouTube-8M's are not."""
    if not YOUTUBE_ID.fullmatch(video_id):
        return ""
    return f"https://www.youtube.com/watch?v={video_id.decode('ascii')}&t={int(start_time)}"


def _row(scores: Scores, places: LabelPlaces, clip: int) -> tuple:
    begin, end = np.searchsorted(places.clips, [clip, clip + 1])
    order = begin + np.argsort(-places.places[begin:end], kind="stable")
    guesses = np.argsort(-scores.probabilities[clip], kind="stable")[:NUM_GUESSES]
    video_id, start = bytes(scores.video_ids[clip]), float(scores.start_times[clip])
    named = video_id.decode("utf-8", "backslashreplace")
    true, stand = places.classes[order].tolist(), places.places[order].tolist()
    return int(clip), named, start, video_url(video_id, start), true, stand, guesses.tolist()


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the largest values, the earlier of equal ones."""
    return np.argsort(-values, kind="stable")[:count]
