"""Frames that were computed before, by the id of their sound: an .npz file, or a folder of ID.npy files.

source = ArraySource("features.npz")
source.frames_of("rain-1")    # uint8 or float32 [T, D]
"""

import contextlib

import numpy as np

from yt8m_audio.clip_arrays import opened_arrays
from yt8m_audio.errors import UserError
from yt8m_audio.feature_source import FeatureSource

SAMPLE_RATE = 16_000
HOP_SECONDS = 1.0


class ArraySource:
    """An embedding that knows some sounds by id, and cannot embed others.

    Args:
        path: the .npz file or the folder.
        hop_seconds: from one frame to the next; 1 when None.

    Raises:
        UserError: if there are no arrays, or the first is not such that it can be written.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, path: str, hop_seconds: float | None = None):
        self.path = path
        self.hop_samples = self.window_samples = round(SAMPLE_RATE * (hop_seconds or HOP_SECONDS))
        self.files = contextlib.ExitStack()  # open as long as the source is there
        self.arrays = self.files.enter_context(opened_arrays(path))
        self.keys = self.arrays.keys
        if not self.keys:
            raise UserError(f"{path} holds no arrays.")
        first = self.arrays.frames(min(self.keys))
        self.dimension, self.dtype = first.shape[1], first.dtype

    def frames_of(self, video_id: str) -> np.ndarray:
        """The frames of a sound.

        Raises:
            UserError: if there are none, or they are not such as the others.
        """
        if video_id not in self.keys:
            raise UserError(
                f"{self.path} has no array for {video_id}; the ones there are named such as '{min(self.keys)}'."
            )
        frames = self.arrays.frames(video_id)
        if (frames.shape[1], frames.dtype) != (self.dimension, self.dtype):
            raise UserError(
                f"{self.path}, array {video_id} is {frames.dtype} with {frames.shape[1]} features a frame, and the "
                f"first is {self.dtype} with {self.dimension}."
            )
        return frames

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Refuses: arrays embed no sound.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self.path} holds features that were computed before: they say nothing of other sound.")

    def described(self) -> FeatureSource:
        """What is noted beside records: what computed the arrays is not known."""
        return FeatureSource("arrays", self.sample_rate, self.dimension, self.hop_samples / self.sample_rate)
