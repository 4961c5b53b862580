"""What a figure is of: how many clips, which ones, and which classes have any that are true.

Two evaluations of the same clips have the same `ids_sha256`, in whichever order and form the clips came.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from yt8m_audio.evaluation.scores import Scores


def ids_sha256(names: Iterable[bytes]) -> str:
    """The sha256 of clips' names, sorted by their bytes, a line end after each: `LC_ALL=C sort FILE | sha256sum`."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name + b"\n")
    return digest.hexdigest()


def clip_names(scores: Scores) -> list[bytes]:
    """What the clips are called: by their ids, and of segments `id:start`, as predictions name them."""
    if scores.rated is None:
        return scores.video_ids.tolist()
    return segment_names(scores.video_ids, scores.start_times).tolist()


def segment_names(video_ids: np.ndarray, start_times: np.ndarray) -> np.ndarray:
    """Names of segments, `id:start`, from ids (bytes [n]) and start times (float32 [n], seconds); bytes [n]."""
    named = np.empty(len(video_ids), object)
    named[:] = [b"%b:%d" % each for each in zip(video_ids, start_times, strict=True)]
    return named


def name_order(scores: Scores) -> np.ndarray:
    """The rows of the clips by their ids, and of equal ids by their start times, int64 [N]."""
    by_time = np.argsort(scores.start_times, kind="stable")
    return by_time[np.argsort(scores.video_ids[by_time], kind="stable")]


def provenance(names: list[bytes], num_positives: np.ndarray) -> dict[str, int | str]:
    """States the clips and the classes of an evaluation, as JSON takes it.

    Args:
        names: of the clips, from `clip_names`.
        num_positives: clips [C] in which each class is true.
    """
    some = int(np.count_nonzero(num_positives))
    return {
        "clips": len(names),
        "ids_sha256": ids_sha256(names),
        "classes": len(num_positives),
        "classes_with_positives": some,
        "classes_without_positives": len(num_positives) - some,
    }
