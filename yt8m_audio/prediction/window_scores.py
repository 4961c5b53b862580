"""Scores of windows over frames that come piece by piece, of a sound of any length.

    looked_at = WindowScores(score, Windows(2, 1))
    for frames in chunks:
        for windows in looked_at.after(frames):    # windows.scores [w, C], windows.begins [w], windows.num_frames [w]
            ...
    for windows in looked_at.at_the_end():
        ...

They are the windows that yt8m_audio.prediction.windows cuts of the whole. Frames are held for a section of them at a
time.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from yt8m_audio.prediction.windows import Windows, cut_batch

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]  # [B, T, D] and int32 [B] -> probabilities [B, C]

BATCH = 64  # windows that are scored at a time
SECTION_WINDOWS = 512


class ScoredWindows(NamedTuple):
    """Some windows, one behind the other.

    Attributes:
        scores: float32 [w, C].
        begins: int64 [w], the first frame of each.
        num_frames: int32 [w].
    """

    scores: np.ndarray
    begins: np.ndarray
    num_frames: np.ndarray


class WindowScores:
    """Cuts frames into windows and scores these.

    Args:
        score: gives probabilities [B, C] of frames [B, T, D], padded with 0, and how many there are, int32 [B].
        windows: where they lie.
    """

    def __init__(self, score: Score, windows: Windows):
        self.score, self.windows = score, windows
        self.section = (SECTION_WINDOWS - 1) * windows.hop + windows.size  # frames
        self.begin = 0  # number of the first frame that is held
        self.held: np.ndarray | None = None  # [t, D]

    def after(self, frames: np.ndarray) -> Iterator[ScoredWindows]:
        """Takes the next frames, uint8 or float32 [t, D]; gives the windows of sections that they make whole."""
        self.held = frames if self.held is None else np.concatenate([self.held, frames])
        while len(self.held) > max(self.section, step := SECTION_WINDOWS * self.windows.hop):
            yield from self._scored(self.held[: self.section])
            self.held, self.begin = self.held[step:], self.begin + step

    def at_the_end(self) -> Iterator[ScoredWindows]:
        """Gives the windows of what is left."""
        if self.held is not None and len(self.held):
            yield from self._scored(self.held)

    def _scored(self, section: np.ndarray) -> Iterator[ScoredWindows]:
        """Scores the windows of a section, [t, D], that begins at `begin`."""
        clip = {
            "video_id": np.array([b""], object),
            "features": section[None],
            "num_frames": np.array([len(section)], np.int32),
            "example_weights": np.ones(1, np.float32),
            "start_time": np.zeros(1, np.float32),
            "end_time": np.zeros(1, np.float32),
        }
        for batch in cut_batch(clip, self.windows, BATCH)[1]:
            num_frames = batch["num_frames"].numpy()
            real = batch["example_weights"].numpy() > 0
            scores = self.score(batch["features"].numpy(), num_frames)
            begins = self.begin + batch["start_time"].numpy()[real].astype(np.int64)
            yield ScoredWindows(scores[real], begins, num_frames[real])
