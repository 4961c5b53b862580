"""Sums over the replicas of a model that trains on several devices at once, and variables that each has its own of."""

import keras


def sum_over_replicas(value):
    """Sums a tensor, or each of a list, over replicas; the identity where there is one, or no TensorFlow backend.

    Args:
        value: tensor of any shape, the same on every replica, or a list of such tensors.

    Returns:
        The same, equal on every replica.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def on_each_replica(value, dtype, aggregation, name: str = "variable"):
    """A variable that each replica keeps for itself, and that is aggregated when the host reads it.

    Args:
        value: what it holds at first.
        dtype: its type.
        aggregation: a tf.VariableAggregation.
        name: for people.
    """
    import tensorflow as tf

    return tf.Variable(
        tf.constant(value, dtype),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=aggregation,
        name=name,
    )


def replica_number() -> int:
    """Which replica this is, of all on all machines, from 0; called on one."""
    import tensorflow as tf

    return tf.distribute.get_replica_context().replica_id_in_sync_group
