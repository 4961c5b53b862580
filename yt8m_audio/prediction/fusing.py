"""Has XLA fuse a model on a CPU where that is known to be faster: light models, which go through memory more than once.

FrameLevelLogisticModel's predictions of a batch took 1.7 times as long without it, and MoeModel's 1.3 times. It is left
out for all others: models that multiply more took up to twice as long with it, and a loop's compilation does not end.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

MOST_PRODUCTS = 2
PRODUCTS = {"MatMul", "BatchMatMulV2"}
LIGHT = {"AddV2", "BiasAdd", "Cast", "ConcatV2", "Const", "GatherV2", "Greater", "Identity", "Less", "Maximum", "Mul"}
LIGHT |= {"Neg", "NoOp", "Placeholder", "Range", "ReadVariableOp", "RealDiv", "Rsqrt", "Sigmoid", "Softplus", "Split"}
LIGHT |= {"SplitV", "Square", "StridedSlice", "Sub", "Sum", "Transpose"}


class FusedWhereLight:
    """A function of a model's inputs as a graph, which is compiled where it is light and runs on a CPU.

    Args:
        function: that calls the model.
    """

    def __init__(self, function: Callable):
        self.function, self.compute = function, None

    def __call__(self, inputs: Sequence) -> list[tf.Tensor]:
        """Calls the function with each."""
        if self.compute is None:
            plain = tf.function(self.function)
            on_cpu = not tf.config.list_logical_devices("GPU")
            is_fused = on_cpu and is_light(plain.get_concrete_function(inputs[0]).graph)
            self.compute = tf.function(self.function, jit_compile=True) if is_fused else plain
        return [self.compute(each) for each in inputs]


def is_light(graph: tf.Graph) -> bool:
    """Whether a graph has a few products, and beside them what is computed element by element, and nothing else."""
    kinds = [operation.type for operation in graph.get_operations()]
    return set(kinds) <= LIGHT | PRODUCTS and sum(kind in PRODUCTS for kind in kinds) <= MOST_PRODUCTS
