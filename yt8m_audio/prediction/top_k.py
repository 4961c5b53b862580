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
from yt8m_audio.prediction.best_places import best_places
from yt8m_audio.prediction.dealing import Dealt, in_groups
from yt8m_audio.prediction.ensembles import Ensemble, ensemble_of
from yt8m_audio.prediction.fusing import FusedWhereLight
from yt8m_audio.prediction.predicted import DROPPED, Predicted

BATCHES_AHEAD = 3  # that the device may have computed and the host not yet sorted


def predictor(
    model: keras.Model | Ensemble,
    top_k: int | None,
    temperature: float = 1.0,
    thresholds: np.ndarray | float | None = None,
    chosen: Sequence[int] | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Callable[[tf.data.Dataset], Iterator[Predicted]]:
    """Makes a function that predicts every clip of a data set once, in its order.

    Args:
        model: gives logits; or several models that predict as one.
        top_k: classes a clip, at most all of them, best first; equal scores are in the order of their class indices.
            None gives all, in the order of their class indices.
        temperature: that the model's logits are divided by; members of an ensemble have their own.
        thresholds: scores from which a class is kept, one for all or one for each class [C]; None keeps all.
        chosen: classes to look at alone, rising; None looks at all.
        strategy: in whose scope the model was made; each of its devices computes batches of its own. None is one.

    Returns:
        A function of a data set: batches (see yt8m_audio.batch), or tuples of them, one for each way in which members
        read. It gives what is predicted of each batch, rows of weight 0 left out, and raises a UserError where a score
        is not finite.
    """
    ensemble = model if isinstance(model, Ensemble) else ensemble_of(model, temperature)
    columns = None if chosen is None else np.array(chosen, np.int32)

    def values_of(inputs):
        values = ensemble.values(inputs)  # [B, C]
        return values if columns is None else tf.gather(values, columns, axis=1)

    replicas = strategy.num_replicas_in_sync if strategy else 1
    is_dealt = replicas > 1 or isinstance(strategy, tf.distribute.TPUStrategy)  # else what runs where is TensorFlow's
    compute = Dealt(values_of, strategy) if is_dealt else FusedWhereLight(values_of)

    def predicted(batch: dict, values: tf.Tensor) -> Predicted:
        values = np.asarray(memoryview(values))  # not copied where it is on the host; else waited for
        real = batch["example_weights"].numpy() > 0
        rows = slice(None) if real.all() else real
        values, ids, *times = (each[rows] for each in (values, *(batch[key].numpy() for key in HOST_KEYS)))
        check_numbers(values, ids)
        places, values = ranked(values, top_k)
        classes, scores = places if columns is None else columns[places], ensemble.scores(values)
        if thresholds is not None:
            least = np.asarray(thresholds, np.float32)
            classes = np.where(scores >= (least[classes] if least.ndim else least), classes, DROPPED)
        return Predicted(ids, *times, classes.astype(np.int32, copy=False), scores)

    def predict(dataset: tf.data.Dataset) -> Iterator[Predicted]:
        with ThreadPoolExecutor(1) as thread:
            waiting = collections.deque()
            for group in in_groups(map(as_tuple, dataset), replicas):
                inputs = [[model_inputs(batch) for batch in batches] for batches in group]
                for batches, values in zip(group, compute(inputs), strict=True):
                    waiting.append(thread.submit(predicted, batches[0], values))
                while len(waiting) > BATCHES_AHEAD * replicas:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    return predict


def ranked(values: np.ndarray, top_k: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The best columns of each row and their values, both [n, k], best first; all, in their order, for top_k None."""
    if top_k is None:
        return np.broadcast_to(np.arange(values.shape[1], dtype=np.int32), values.shape), values
    places = best_places(values, min(top_k, values.shape[1]))
    begins = np.arange(len(values))[:, None] * values.shape[1]
    return places, values.ravel().take(begins + places)  # several times as fast as np.take_along_axis


def as_tuple(element: dict | tuple) -> tuple:
    """The batches of an element of a data set: one, or one for each way in which members read."""
    return element if isinstance(element, tuple) else (element,)


def check_numbers(values: np.ndarray, video_ids: np.ndarray) -> None:
    """Raises a UserError that names the first clip, of video_ids (bytes [n]), with a value (float32 [n, C]) of nan."""
    if np.isnan(values.max(initial=0)):  # which is nan where one of them is
        broken = np.isnan(values).any(axis=1)
        clip = video_ids[broken][0].decode(errors="replace")
        raise UserError(f"The model's scores of clip {clip} are not finite: its weights or features are broken.")
