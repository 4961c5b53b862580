"""Which clips are held out, by a hash of the video id: the same ones in every run, every file and every list."""

import hashlib
from collections.abc import Callable

import numpy as np


def held_out(percent: int) -> Callable[[np.ndarray], np.ndarray]:
    """Splits clips by a hash of the video id, so that a clip is on one side in every run and every file.

    Args:
        percent: share of the clips that is held out, 1 to 99; 10 is int(sha256(video_id), 16) % 10 == 0.

    Returns:
        A function of ids, bytes [n], that tells which are held out, bool [n].
    """

    def keep(video_ids: np.ndarray) -> np.ndarray:
        digits = [int(hashlib.sha256(each).hexdigest(), 16) % 100 for each in video_ids]
        # The last digit counts first, so that 10 % are those that end in 0.
        return np.array([10 * (each % 10) + each // 10 for each in digits], np.int64) < percent

    return keep
