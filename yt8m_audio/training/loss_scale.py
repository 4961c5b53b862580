"""Scales a loss up, so that small gradients are not 0 in float16 (Micikevicius et al. 2018, arXiv:1710.03740).

The factor doubles after 2,000 steps in a row whose gradients are finite, and halves after each that has one which is
not: that step changes nothing.
"""

from collections.abc import Sequence

import tensorflow as tf

from yt8m_audio.replicas import on_each_replica

FIRST_FACTOR, MOST, STEPS_TO_GROW = 2.0**15, 2.0**24, 2000


class LossScale:
    """The factor, and how long it has been well with it; made in the scope of the strategy."""

    def __init__(self):
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.factor = on_each_replica(FIRST_FACTOR, tf.float32, first, "loss_scale/factor")
        self.good_steps = on_each_replica(0, tf.int32, first, "loss_scale/good_steps")

    @property
    def state(self) -> list[float]:
        """Factor and good steps, for a checkpoint."""
        return [float(self.factor.numpy()), int(self.good_steps.numpy())]

    def resume(self, state: list[float]) -> None:
        """Takes up a `state`."""
        factor, good_steps = state
        self.factor.assign(factor)
        self.good_steps.assign(int(good_steps))

    def adapt(self, finite) -> None:
        """Takes in whether a step's gradients were finite, bool []."""
        good = tf.where(finite, self.good_steps + 1, 0)
        grown = good >= STEPS_TO_GROW
        factor = tf.where(finite, tf.where(grown, self.factor * 2, self.factor), self.factor / 2)
        self.factor.assign(tf.clip_by_value(factor, 1.0, MOST))
        self.good_steps.assign(tf.where(grown, 0, good))


def restore_unless(finite, variables: Sequence, before: Sequence) -> None:
    """Puts back what variables held before a step, unless that was finite; called on a replica.

    Args:
        finite: bool [], the same on every replica.
        variables: Keras variables.
        before: tensors, what they held.
    """

    def put_back(strategy, finite, before):
        for variable, value in zip(variables, before, strict=True):
            strategy.extended.update(
                variable.value,
                lambda held, value, finite: held.assign(tf.where(finite, held, value)),
                args=(value, finite),
            )

    tf.distribute.get_replica_context().merge_call(put_back, args=(finite, list(before)))
