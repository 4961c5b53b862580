"""Windows over recordings: of any size and hop, each predicted as a clip of its own.

    windows = windows_asked(window=10, hop=5)
    predict = windowed(Predictor(model, top_k=20), windows, batch_size=512)
    for predicted in predict(clips.in_order(clips_at_a_time(spec, 512))):    # one a batch of recordings
        predicted.video_ids, predicted.start_times, predicted.end_times

A window begins every `hop` frames, and the last one is the first that reaches the end: it has fewer frames than the
others where the recording's are no multiple. A frame is a second. A clip with no frames has one window with none.
"""

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.packed_rows import joined
from yt8m_audio.prediction.predicted import Predicted

KEYS = ("video_id", "features", "num_frames", "example_weights", "start_time", "end_time")
BATCH_BYTES = 16 << 20  # features of recordings that are read at a time
Batches = dict | tuple[dict, ...]  # a batch, or one for each way in which models read


@dataclasses.dataclass(frozen=True)
class Windows:
    """Where windows lie.

    Attributes:
        size: frames of a window, at least 1.
        hop: frames from the beginning of one to that of the next, at least 1.
    """

    size: int
    hop: int

    def counts(self, num_frames: np.ndarray) -> np.ndarray:
        """How many windows clips of so many frames, int [n], have: int64 [n], at least 1."""
        to_the_end = -(-(num_frames.astype(np.int64) - self.size) // self.hop) + 1  # rounded up
        with_frames = -(-num_frames.astype(np.int64) // self.hop)  # fewer where there are gaps between windows
        return np.maximum(1, np.minimum(to_the_end, with_frames))

    def spec(self, element_spec: dict[str, tf.TensorSpec], batch_size: int) -> dict[str, tf.TensorSpec]:
        """What batches of windows are, which a model is built for, of clips whose batches are `element_spec`."""
        features = [batch_size, self.size, element_spec["features"].shape[-1]]
        shapes = {key: features if key == "features" else [batch_size] for key in KEYS}
        return {key: tf.TensorSpec(shape, element_spec[key].dtype) for key, shape in shapes.items()}


def windows_asked(window: float, hop: float = 0) -> Windows:
    """The windows that --window and --hop ask for, in seconds; a hop of 0 is the window's size.

    Raises:
        UserError: if one is no whole number of seconds, or is below 1.
    """
    for flag, seconds in (("window", window), ("hop", hop or window)):
        if not 1 <= seconds < math.inf or seconds % 1:
            raise UserError(f"--{flag}={seconds:g} must be a whole number of seconds, from 1 on: a frame is a second.")
    return Windows(int(window), int(hop or window))


def check_frame_level(features: tf.TensorSpec, flag: str) -> None:
    """Raises a UserError where a model takes no frames: features are [B, D]."""
    if len(features.shape) != 3:
        raise UserError(f"{flag} needs a model of frames: this one takes one vector a clip (it has no frames to cut).")


def clips_at_a_time(features: tf.TensorSpec, batch_size: int) -> int:
    """How many recordings to read at a time, at most `batch_size`, so that their features [B, T, D] stay small."""
    _, frames, size = features.shape
    return int(np.clip(BATCH_BYTES // (frames * size * features.dtype.size), 1, batch_size))


def windowed(
    predict: Callable[[Iterable], Iterator[Predicted]], windows: Windows, batch_size: int
) -> Callable[[Iterable], Iterator[Predicted]]:
    """Makes a function that predicts the windows of clips, of one that predicts clips.

    Args:
        predict: from batches, what is predicted of each (see yt8m_audio.prediction.predictor).
        windows: where they lie.
        batch_size: windows in a batch.

    Returns:
        A function of batches of clips (or tuples of them, one for each way in which models read) that gives what is
        predicted of all windows of each batch: the clips in order, and their windows in order. How windows are put in
        batches depends on that batch of clips alone.
    """

    def predict_windows(dataset: Iterable) -> Iterator[Predicted]:
        counts: collections.deque[int] = collections.deque()  # batches of windows of each batch of clips

        def batches():
            for element in dataset:
                count, cut = cut_batch(element, windows, batch_size)
                counts.append(count)
                yield from cut

        predictions = predict(batches())
        for piece in predictions:
            following = itertools.islice(predictions, counts.popleft() - 1)
            yield joined([piece, *following])

    return predict_windows


def cut_batch(element: Batches, windows: Windows, batch_size: int) -> tuple[int, Iterator[Batches]]:
    """Cuts a batch of clips into batches of windows: how many, and these; rows of weight 0 have no windows."""
    readings = element if isinstance(element, tuple) else (element,)
    arrays = [{key: np.asarray(reading[key]) for key in KEYS} for reading in readings]
    real = np.flatnonzero(arrays[0]["example_weights"] > 0)
    counts = windows.counts(arrays[0]["num_frames"][real])
    clip = np.repeat(real, counts)  # [W]
    number = np.arange(len(clip)) - np.repeat(np.cumsum(counts) - counts, counts)  # [W], within the clip
    num_batches = max(1, -(-len(clip) // batch_size))

    def batch(begin: int) -> Batches:
        some = slice(begin, begin + batch_size)
        places = clip[some], number[some] * windows.hop
        cut = tuple(cut_windows(each, *places, windows.size, batch_size) for each in arrays)
        return cut if isinstance(element, tuple) else cut[0]

    return num_batches, map(batch, range(0, num_batches * batch_size, batch_size))


def cut_windows(
    batch: dict[str, np.ndarray], clip: np.ndarray, start: np.ndarray, size: int, batch_size: int
) -> dict[str, tf.Tensor]:
    """Cuts windows out of a batch of clips.

    Args:
        batch: the clips.
        clip: int64 [w], the row of each window's clip; at most batch_size.
        start: int64 [w], its first frame.
        size: frames of a window.
        batch_size: windows to give; rows of weight 0 fill up.
    """
    features = batch["features"]  # [B, T, D]
    num_frames = np.clip(batch["num_frames"][clip] - start, 0, size).astype(np.int32)  # [w]
    frames = np.minimum(start[:, None] + np.arange(size), features.shape[1] - 1)  # [w, size]
    cut = np.zeros((batch_size, size, features.shape[2]), features.dtype)
    cut[: len(clip)] = features[clip[:, None], frames]
    cut[: len(clip)][np.arange(size) >= num_frames[:, None]] = 0
    begins = batch["start_time"][clip] + start.astype(np.float32)
    columns = {
        "video_id": batch["video_id"][clip],
        "num_frames": num_frames,
        "example_weights": batch["example_weights"][clip],
        "start_time": begins,
        "end_time": begins + num_frames.astype(np.float32),
    }
    filled = {key: filled_up(each, batch_size) for key, each in columns.items()}
    return {key: tf.constant(each) for key, each in {**filled, "features": cut}.items()}


def filled_up(values: np.ndarray, count: int) -> np.ndarray:
    """Values [n] and behind them as many zeros, or empty strings, as make [count]."""
    out = np.full(count, b"" if values.dtype == object else 0, values.dtype)
    out[: len(values)] = values
    return out
