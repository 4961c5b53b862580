"""Predicts the best classes of clips, one batch while the device computes the next.

for predicted in predictor(model, top_k=20)(clips.in_order(512)):
    predicted.video_ids, predicted.classes, predicted.scores
"""

import collections
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.batch import HOST_KEYS, model_inputs
from yt8m_audio.errors import UserError
from yt8m_audio.prediction.ensembles import Ensemble, ensemble_of
from yt8m_audio.prediction.predicted import DROPPED, Predicted

BATCHES_AHEAD = 3  # that the device may have computed and the host not yet sorted


def predictor(
    model: keras.Model | Ensemble,
    top_k: int | None,
    temperature: float = 1.0,
    thresholds: np.ndarray | float | None = None,
    chosen: Sequence[int] | None = None,
) -> Callable[[tf.data.Dataset], Iterator[Predicted]]:
    """Makes a function that predicts every clip of a data set once, in its order.

    Args:
        model: gives logits; or several models that predict as one.
        top_k: classes a clip, at most all of them, best first; equal scores are in the order of their class indices.
            None gives all, in the order of their class indices.
        temperature: that the model's logits are divided by; members of an ensemble have their own.
        thresholds: scores from which a class is kept, one for all or one for each class [C]; None keeps all.
        chosen: classes to look at alone, rising; None looks at all.

    Returns:
        A function of a data set: batches (see yt8m_audio.batch), or tuples of them, one for each way in which members
        read. It gives what is predicted of each batch, rows of weight 0 left out, and raises a UserError where a score
        is not finite.
    """
    ensemble = model if isinstance(model, Ensemble) else ensemble_of(model, temperature)
    columns = None if chosen is None else np.array(chosen, np.int32)

    @tf.function
    def values_of(inputs):
        values = ensemble.values(inputs)  # [B, C]
        return values if columns is None else tf.gather(values, columns, axis=1)

    def predicted(batch: dict, values: np.ndarray) -> Predicted:
        real = batch["example_weights"].numpy() > 0
        rows = slice(None) if real.all() else real
        values, ids, *times = (each[rows] for each in (values, *(batch[key].numpy() for key in HOST_KEYS)))
        check_numbers(values, ids)
        if top_k is None:
            places = np.broadcast_to(np.arange(values.shape[1], dtype=np.int32), values.shape)
        else:
            places = best_places(values, min(top_k, values.shape[1]))  # [n, k]
            values = np.take_along_axis(values, places, axis=1)
        classes, scores = places if columns is None else columns[places], ensemble.scores(values)
        if thresholds is not None:
            least = np.asarray(thresholds, np.float32)
            classes = np.where(scores >= (least[classes] if least.ndim else least), classes, DROPPED)
        return Predicted(ids, *times, classes.astype(np.int32, copy=False), scores)

    def predict(dataset: tf.data.Dataset) -> Iterator[Predicted]:
        with ThreadPoolExecutor(1) as thread:
            waiting = collections.deque()
            for element in dataset:
                batches = element if isinstance(element, tuple) else (element,)
                values = values_of([model_inputs(batch) for batch in batches])
                waiting.append(thread.submit(predicted, batches[0], np.asarray(memoryview(values))))  # not copied
                if len(waiting) > BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    return predict


def check_numbers(values: np.ndarray, video_ids: np.ndarray) -> None:
    """Raises a UserError that names the first clip, of video_ids (bytes [n]), with a value (float32 [n, C]) of nan."""
    broken = np.isnan(values).any(axis=1)
    if broken.any():
        clip = video_ids[broken][0].decode(errors="replace")
        raise UserError(f"The model's scores of clip {clip} are not finite: its weights or features are broken.")


def best_places(values: np.ndarray, top_k: int) -> np.ndarray:
    """The columns of the highest values of each row, best first, equal ones in their order; int32 [n, top_k].

    A selection and a sort of what it selects: on a CPU half of what tf.math.top_k takes, or less.

    Args:
        values: float32 [n, C], none of them nan.
        top_k: 1 to C.
    """
    num_rows, num_columns = values.shape
    if top_k == num_columns:
        return _sorted_places(values, top_k)
    least = np.partition(values, -top_k, axis=1)[:, -top_k, None]  # [n, 1]
    among = values >= least  # [n, C], top_k in a row, and more where several have the least value
    if np.count_nonzero(among) != num_rows * top_k:
        tied = np.count_nonzero(among, axis=1) != top_k
        among[tied] = False
        among[np.flatnonzero(tied)[:, None], _sorted_places(values[tied], top_k)] = True
    places = np.flatnonzero(among).reshape(num_rows, top_k) % num_columns  # rising
    order = np.argsort(-np.take_along_axis(values, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1).astype(np.int32)


def _sorted_places(values: np.ndarray, top_k: int) -> np.ndarray:
    """The same by sorting whole rows."""
    return np.argsort(-values, axis=1, kind="stable")[:, :top_k].astype(np.int32)
