"""How long steps stand still for their input, measured on the device beside the steps.

    wait.begin()
    for _ in tf.range(steps):
        batch = next(iterator)
        wait.batch_is_there(batch)
        wait.step_is_done(step(batch))
    wait.take()     # seconds

A step can begin when the one before is done and its batch is there: what lies between the two is waited.
"""

import tensorflow as tf


class InputWait:
    """Adds up how long steps waited for their batches.

    Args:
        strategy: the replicas; a batch may have a part for each.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.local_parts = strategy.experimental_local_results
        with tf.device("CPU:0"):
            self.done = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # when the step before was, Unix time
            self.waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)  # seconds

    def begin(self) -> None:
        """Counts from now on."""
        self.done.assign(tf.timestamp())

    def batch_is_there(self, batch: dict) -> None:
        """Adds the time since the step before was done, if it was; nothing that is computed waits for that."""
        parts = [part for each in tf.nest.flatten(batch) for part in self.local_parts(each)]
        with tf.control_dependencies(parts):
            there = tf.timestamp()
        self.waited.assign_add(tf.maximum(there - self.done, 0.0))

    def step_is_done(self, result) -> None:
        """Notes when a step is done, by a tensor that is there no sooner: it is made of all that the step changes."""
        with tf.control_dependencies(self.local_parts(result)):
            self.done.assign(tf.timestamp())

    def take(self) -> float:
        """Returns the seconds waited since it was asked before."""
        waited = float(self.waited.numpy())
        self.waited.assign(0.0)
        return waited
