"""Sums over the replicas of a model that trains on several devices at once."""

import keras


def sum_over_replicas(value):
    """Sums a tensor over replicas; the identity where there is one replica or no TensorFlow backend.

    Args:
        value: tensor of any shape, the same on every replica.

    Returns:
        Tensor of the same shape, equal on every replica.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
