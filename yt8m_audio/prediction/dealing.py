"""Computes several batches at a time, one on each device: batches keep their size however many devices there are.

compute = Dealt(function, strategy)
first, second = compute([inputs, other_inputs])
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import tensorflow as tf


class Dealt:
    """A function of a model's inputs, called with as many of them as there are devices.

    Args:
        function: that calls the model, which was made in the strategy's scope.
        strategy: which devices there are; each gives the scores of a batch.
    """

    def __init__(self, function: Callable, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self.compute = tf.function(lambda inputs: strategy.run(function, args=(inputs,)))

    def __call__(self, inputs: Sequence) -> list[tf.Tensor]:
        """Calls the function with each; where there are fewer than devices, the others compute the last one too."""
        last = len(inputs) - 1
        dealt = self.strategy.experimental_distribute_values_from_function(
            lambda context: inputs[min(context.replica_id_in_sync_group, last)]
        )
        return list(self.strategy.experimental_local_results(self.compute(dealt))[: len(inputs)])


def in_groups(elements: Iterable, size: int) -> Iterator[list]:
    """Puts elements in lists of so many, the last one shorter."""
    group = []
    for element in elements:
        group.append(element)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
