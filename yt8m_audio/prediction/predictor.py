"""Predicts the best classes of clips, one batch while the device computes the next.

for predicted in Predictor(model, top_k=20)(clips.in_order(512)):
    predicted.video_ids, predicted.classes, predicted.scores
"""

import collections
from collections.abc import Iterable, Iterator, Sequence
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

BATCHES_AHEAD = 2  # that the device may have computed and the host not yet sorted


class Predictor:
    """Predicts every clip of a data set once, in its order.

    Args:
        model: gives logits; or several models that predict as one.
        top_k: classes a clip, at most all of them, best first; equal scores are in the order of their class indices.
            None gives all, in the order of their class indices.
        temperature: that the model's logits are divided by; members of an ensemble have their own.
        thresholds: scores from which a class is kept, one for all or one for each class [C]; None keeps all.
        chosen: classes to look at alone, rising; None looks at all.
        strategy: in whose scope the model was made; each of its devices computes batches of its own. None is one.
        batch_size: rows that one device computes at a time, of batches that are larger; None is whole batches.
    """

    def __init__(
        self,
        model: keras.Model | Ensemble,
        top_k: int | None,
        temperature: float = 1.0,
        thresholds: np.ndarray | float | None = None,
        chosen: Sequence[int] | None = None,
        strategy: tf.distribute.Strategy | None = None,
        batch_size: int | None = None,
    ):
        self.ensemble = model if isinstance(model, Ensemble) else ensemble_of(model, temperature)
        self.top_k, self.thresholds = top_k, thresholds
        self.columns = None if chosen is None else np.array(chosen, np.int32)
        self.replicas = strategy.num_replicas_in_sync if strategy else 1
        is_dealt = self.replicas > 1 or isinstance(strategy, tf.distribute.TPUStrategy)  # else TensorFlow sees to it
        self.compute = Dealt(self._values, strategy) if is_dealt else FusedWhereLight(self._values, batch_size)

    def clips_at_a_time(self, specs: Sequence[dict]) -> int:
        """How many clips a batch should have: those of some batches, or several times as many of a light model.

        Args:
            specs: what batches are, one for each way in which members read.
        """
        inputs = [model_inputs(each) for each in specs]
        is_dealt = isinstance(self.compute, Dealt)
        return inputs[0]["num_frames"].shape[0] if is_dealt else self.compute.rows_at_a_time(inputs)

    def __call__(self, dataset: Iterable) -> Iterator[Predicted]:
        """Gives what is predicted of each batch (see yt8m_audio.batch), rows of weight 0 left out.

        Args:
            dataset: batches, or tuples of them, one for each way in which members read.

        Raises:
            UserError: if a score is not finite.
        """
        with ThreadPoolExecutor(1) as thread:
            waiting = collections.deque()
            for group in in_groups(map(as_tuple, dataset), self.replicas):
                inputs = [[model_inputs(batch) for batch in batches] for batches in group]
                for batches, values in zip(group, self.compute(inputs), strict=True):
                    waiting.append(thread.submit(self._predicted, batches[0], values))
                while len(waiting) > BATCHES_AHEAD * self.replicas:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _values(self, inputs: Sequence[dict]) -> tf.Tensor:
        values = self.ensemble.values(inputs)  # [B, C]
        return values if self.columns is None else tf.gather(values, self.columns, axis=1)

    def _predicted(self, batch: dict, values: tf.Tensor) -> Predicted:
        values = np.asarray(memoryview(values))  # not copied where it is on the host; else waited for
        real = batch["example_weights"].numpy() > 0
        rows = slice(None) if real.all() else real
        values, ids, *times = (each[rows] for each in (values, *(batch[key].numpy() for key in HOST_KEYS)))
        check_numbers(values, ids)
        places, values = ranked(values, self.top_k)
        classes, scores = places if self.columns is None else self.columns[places], self.ensemble.scores(values)
        if self.thresholds is not None:
            least = np.asarray(self.thresholds, np.float32)
            classes = np.where(scores >= (least[classes] if least.ndim else least), classes, DROPPED)
        return Predicted(ids, *times, classes.astype(np.int32, copy=False), scores)


def ranked(values: np.ndarray, top_k: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The best columns of each row and their values, both [n, k], best first; all, in their order, for top_k None."""
    if top_k is None:
        return np.broadcast_to(np.arange(values.shape[1], dtype=np.int32), values.shape), values
    return best_places(values, min(top_k, values.shape[1]))


def as_tuple(element: dict | tuple) -> tuple:
    """The batches of an element of a data set: one, or one for each way in which members read."""
    return element if isinstance(element, tuple) else (element,)


def check_numbers(values: np.ndarray, video_ids: np.ndarray) -> None:
    """Raises a UserError that names the first clip, of video_ids (bytes [n]), with a value (float32 [n, C]) of nan."""
    if np.isnan(values.max(initial=0)):  # which is nan where one of them is
        broken = np.isnan(values).any(axis=1)
        clip = video_ids[broken][0].decode(errors="replace")
        raise UserError(f"The model's scores of clip {clip} are not finite: its weights or features are broken.")
