"""A moving average of a model's weights: w̄ ← m · w̄ + (1 - m) · w after each step.

    average = MovingAverage(model.trainable_variables, momentum=0.999)
    average.update(step)                    # in a training step
    with average.in_use():                  # the model computes with w̄
        ...

The momentum of step s, from 0, is at most (1 + s) / (10 + s), so that the average is not of the first weights for long
(as TensorFlow's own ExponentialMovingAverage has it).
"""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf

from yt8m_audio.replicas import on_each_replica


class MovingAverage:
    """The average of some variables, kept on every replica; made in the scope of the strategy.

    Args:
        variables: weights that are trained.
        momentum: m in (0, 1).
    """

    def __init__(self, variables: Sequence[keras.Variable], momentum: float):
        self.variables, self.momentum = list(variables), momentum
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.averages = [on_each_replica(each.numpy(), tf.float32, first, each.path) for each in self.variables]

    def update(self, step) -> None:
        """Takes in the weights as they are after a step, int64 []."""
        step = tf.cast(step, tf.float32)
        momentum = tf.minimum(self.momentum, (1 + step) / (10 + step))
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign(momentum * average + (1 - momentum) * tf.convert_to_tensor(variable.value))

    def in_place_of_weights(self, variables: Sequence) -> list:
        """The same variables, with the averages where the averaged ones stand."""
        averages = {id(each): average for each, average in zip(self.variables, self.averages, strict=True)}
        return [averages.get(id(each), each) for each in variables]

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Has the averages in the weights' places for a while."""
        weights = [each.numpy() for each in self.variables]
        self._assign([each.numpy() for each in self.averages])
        try:
            yield
        finally:
            self._assign(weights)

    def _assign(self, values: list) -> None:
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
