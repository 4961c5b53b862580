"""Frames to one vector a clip, for video-level models.

    pool_frames(frames, num_frames, "mean")           # [n, T, D] -> [n, D]
    pool_frames(frames, num_frames, "mean_std_max")   # [n, T, D] -> [n, 3 D]

Bytes are dequantised as everywhere (x · 4/255 + 4/512 - 2); as that is linear, sums of bytes are enough.
"""

import numpy as np

POOLED_VALUES = 1 << 21  # values of frames that are pooled at a time
SCALE, SHIFT = 4 / 255, 4 / 512 - 2


def pool_frames(frames: np.ndarray, num_frames: np.ndarray, pooling: str) -> np.ndarray:
    """Pools the frames that are there.

    Args:
        frames: uint8 or float32 [n, T, D], padded with 0.
        num_frames: int32 [n].
        pooling: mean, or mean_std_max: means, standard deviations (of the population) and largest values.

    Returns:
        float32 [n, D] or [n, 3 D]; zeros for a clip without frames.
    """
    at_once = max(1, POOLED_VALUES // max(1, frames.shape[1] * frames.shape[2]))
    if len(frames) <= at_once:
        return _pool(frames, num_frames, pooling)
    starts = range(0, len(frames), at_once)  # so that the temporaries of some clips at a time are held
    pieces = (slice(start, start + at_once) for start in starts)
    return np.concatenate([_pool(frames[piece], num_frames[piece], pooling) for piece in pieces])


def _pool(frames: np.ndarray, num_frames: np.ndarray, pooling: str) -> np.ndarray:
    """Pools the frames of some clips."""
    count = np.maximum(num_frames, 1).astype(np.float32)[:, None]  # [n, 1]
    mean = frame_sums(frames) / count
    parts = [mean]
    if pooling == "mean_std_max":
        parts += [_deviation(frames, num_frames, mean), _largest(frames, num_frames)]
    if frames.dtype == np.uint8:
        shifts = (SHIFT, 0.0, SHIFT)
        parts = [part * np.float32(SCALE) + np.float32(shift) for part, shift in zip(parts, shifts, strict=False)]
    return np.where(num_frames[:, None] > 0, np.concatenate(parts, axis=1), np.float32(0))


def frame_sums(frames: np.ndarray) -> np.ndarray:
    """Adds up frames [n, T, D], of which the padding is 0: float32 [n, D]."""
    return np.einsum("ntd->nd", frames, dtype=np.float32, casting="unsafe")


def _deviation(frames: np.ndarray, num_frames: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The standard deviation over frames, [n, D], from differences to the mean."""
    real = np.arange(frames.shape[1])[None, :, None] < num_frames[:, None, None]  # [n, T, 1]
    squares = np.square(np.where(real, frames - mean[:, None], np.float32(0)))  # [n, T, D]
    return np.sqrt(squares.sum(axis=1) / np.maximum(num_frames, 1)[:, None]).astype(np.float32)


def _largest(frames: np.ndarray, num_frames: np.ndarray) -> np.ndarray:
    """The largest value over frames, float32 [n, D]."""
    if frames.dtype == np.uint8:  # padding is 0, than which no byte is less
        return frames.max(axis=1).astype(np.float32)
    real = np.arange(frames.shape[1])[None, :, None] < num_frames[:, None, None]
    return np.where(real, frames, -np.inf).max(axis=1).astype(np.float32)
