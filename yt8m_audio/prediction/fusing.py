"""Has XLA fuse a model on a CPU where that is known to be faster: light models, which go through memory more than once.

FrameLevelLogisticModel's predictions of a batch took 1.7 times as long without it, and MoeModel's 1.3 times. It is left
out for all others: models that multiply more took up to twice as long with it, and a loop's compilation does not end.

What a call costs, and handing its batch from thread to thread, is as much as a light model itself. So one call computes
several batches of such a model, each by itself, as they would be computed one by one.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

MOST_PRODUCTS = 2
MOST_BATCHES, MOST_BYTES = 16, 17 << 20  # in one call; bytes of features, and of what is computed of them
PRODUCTS = {"MatMul", "BatchMatMulV2"}
LIGHT = {"AddV2", "BiasAdd", "Cast", "ConcatV2", "Const", "GatherV2", "Greater", "Identity", "Less", "Maximum", "Mul"}
LIGHT |= {"Neg", "NoOp", "Placeholder", "Range", "ReadVariableOp", "RealDiv", "Rsqrt", "Sigmoid", "Softplus", "Split"}
LIGHT |= {"SplitV", "Square", "StridedSlice", "Sub", "Sum", "Transpose"}


class FusedWhereLight:
    """A function of a model's inputs as a graph, which is compiled where it is light and runs on a CPU.

    Args:
        function: that calls the model with a list of inputs, and gives [B, C].
        batch_size: B; inputs that have more rows are computed so many at a time. None is all.
    """

    def __init__(self, function: Callable, batch_size: int | None = None):
        self.function, self.batch_size = function, batch_size
        self.compute, self.compute_parts = None, tf.function(self._compute_parts)

    def rows_at_a_time(self, inputs: Sequence[dict]) -> int:
        """How many rows to call it with: those of inputs (tensors, or what they are), or several times as many."""
        return self._choose(inputs) * inputs[0]["num_frames"].shape[0]

    def _choose(self, inputs: Sequence[dict]) -> int:
        """Chooses how to compute such inputs; returns how many of them one call should compute."""
        plain = tf.function(self.function)
        traced = plain.get_concrete_function(inputs)
        if not is_light(traced.graph) or tf.config.list_logical_devices("GPU"):
            self.compute = plain
            return 1
        self.compute = tf.function(self.function, jit_compile=True)
        arrays = [*(each["features"] for each in inputs), traced.structured_outputs]
        most = max(each.shape.num_elements() * each.dtype.size for each in arrays)
        return max(1, min(MOST_BATCHES, MOST_BYTES // most))

    def __call__(self, inputs: Sequence[Sequence[dict]]) -> list[tf.Tensor]:
        """Calls the function with each."""
        if self.compute is None:
            self._choose(inputs[0])
        return [(self.compute_parts if self._has_parts(each) else self.compute)(each) for each in inputs]

    def _has_parts(self, inputs: Sequence[dict]) -> bool:
        return self.batch_size is not None and inputs[0]["num_frames"].shape[0] > self.batch_size

    def _compute_parts(self, inputs: Sequence[dict]) -> tf.Tensor:
        size, rows = self.batch_size, inputs[0]["num_frames"].shape[0]
        parts = [rows_of(inputs, slice(low, low + size)) for low in range(0, rows, size)]
        return tf.concat([self.compute(part) for part in parts], axis=0)


def rows_of(inputs: Sequence[dict], rows: slice) -> list[dict]:
    """Some of the rows of inputs."""
    return [{key: value[rows] for key, value in each.items()} for each in inputs]


def is_light(graph: tf.Graph) -> bool:
    """Whether a graph has a few products, and beside them what is computed element by element, and nothing else."""
    kinds = [operation.type for operation in graph.get_operations()]
    return set(kinds) <= LIGHT | PRODUCTS and sum(kind in PRODUCTS for kind in kinds) <= MOST_PRODUCTS
