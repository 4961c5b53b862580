"""What a model costs: its trained parameters, and the FLOPs of one clip's forward pass.

    written(cost(LstmModel, 10, (128,), 527))      # "16 M parameters, 250 MFLOP"
    python -m yt8m_audio.commands.model_cost LstmModel

The model is called in a TensorFlow graph that never runs, so that no weight is ever allocated, and the operations that
its logits need are counted: 2 FLOPs a multiply-add of matrix products, einsums and convolutions, from their static
shapes. Nothing else counts: no activation, normalisation or pooling, which take far fewer operations.
"""

import dataclasses
import math
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from yt8m_audio.registry import MODELS

SHAPES = ((10, (128,), 527), (300, (1024, 128), 3862))  # AudioSet's, YouTube-8M's: frames, feature sizes, classes
RECURRENT_GATES = {"lstm": 4, "gru": 3}
UNITS = {"G": 1e9, "M": 1e6, "K": 1e3}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a model costs.

    Attributes:
        parameters: Numbers that are trained.
        flops: Floating-point operations of one clip's forward pass in inference, 2 a multiply-add.
    """

    parameters: int
    flops: int


def cost(
    cls: type,
    num_frames: int,
    feature_sizes: tuple[int, ...],
    num_classes: int,
    hyper_parameters: Mapping[str, Any] = types.MappingProxyType({}),
) -> Cost:
    """Counts what a model costs, without allocating its weights.

    Args:
        cls: a model, fed [1, num_frames, D] or, if it is a video-level one, [1, D].
        num_frames: frames T of the clip.
        feature_sizes: sizes of the features that are concatenated to D.
        num_classes: classes C.
        hyper_parameters: those of the model that are not to have their defaults.

    Raises:
        ValueError: if an operation that is counted has no static shape.
    """
    with tf.Graph().as_default():
        model = cls(num_classes=num_classes, feature_sizes=feature_sizes, **hyper_parameters)
        logits = model(clip_placeholders(model, num_frames), training=False)
        return Cost(trained_parameters(model), count_flops([logits], num_frames))


def clip_placeholders(model: keras.Model, num_frames: int) -> dict[str, tf.Tensor]:
    """A batch of one clip as a model takes it, in the graph that is being made."""
    frames = (num_frames,) if model.level == "frame" else ()
    features = tf.compat.v1.placeholder(tf.float32, (1, *frames, sum(model.feature_sizes)))
    return {"features": features, "num_frames": tf.compat.v1.placeholder(tf.int32, (1,))}


def trained_parameters(model: keras.Model) -> int:
    """How many numbers are trained in a model that is built."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def written(cost: Cost) -> str:
    """A cost in words, to two digits: "3.3 M parameters, 66 MFLOP"."""
    (parameters, times), (flops, flops_times) = _short(cost.parameters), _short(cost.flops)
    return f"{parameters} {times + ' ' if times else ''}parameters, {flops} {flops_times}FLOP"


def docstring_line(cls: type) -> str:
    """The sentence on its cost that a model's docstring holds: with default hyper-parameters, in both shapes."""
    parts = [f"{written(cost(cls, *shape))} for {docstring_shape(*shape)}" for shape in SHAPES]
    return f"Cost of a clip: {'; '.join(parts)}."


def docstring_shape(num_frames: int, feature_sizes: tuple[int, ...], num_classes: int) -> str:
    """One of SHAPES as the docstrings write it."""
    return f"{num_frames} × {sum(feature_sizes)} → {num_classes}"


def count_flops(outputs: Iterable[tf.Tensor], num_frames: int) -> int:
    """Counts the FLOPs of tensors of a graph: those of all operations that they need, and of the functions called.

    Args:
        outputs: the tensors.
        num_frames: how often a loop runs that does not say it itself.

    Raises:
        ValueError: if an operation that is counted has no static shape.
    """
    total = 0
    for operation in _needed(outputs):
        if operation.type in MULTIPLY_ADDS:
            total += 2 * _known(MULTIPLY_ADDS[operation.type](operation), operation)
        else:  # of a loop's condition and body the body has products; of branches the dearest counts
            called = [count_flops(function.outputs, num_frames) for function in _called(operation)]
            total += max(called, default=0) * (_trips(operation, num_frames) if "While" in operation.type else 1)
    return total


def _needed(outputs: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """The operations that tensors depend on: Keras' recurrent layers make a step that nothing uses, for its shapes."""
    found, waiting = set(), [tensor.op for tensor in outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return found


def _called(operation: tf.Operation) -> list[tf.Graph]:
    """The graphs of the functions that an operation calls."""
    attributes = operation.node_def.attr.values()
    names = [each.name for attribute in attributes for each in (attribute.func, *attribute.list.func) if each.name]
    return [operation.graph._get_function(name).graph for name in names]


def _trips(loop: tf.Operation, num_frames: int) -> int:
    """How often a loop runs: as often as it says, else once a row of what it walks over."""
    most = tf.get_static_value(loop.inputs[1]) if len(loop.inputs) > 1 and loop.inputs[1].shape.rank == 0 else None
    if most is not None and most > 0:
        return int(most)
    lists = [each.op for each in loop.inputs if each.op.type == "TensorListFromTensor"]
    return max((each.inputs[0].shape[0] for each in lists), default=num_frames)


def _known(multiply_adds: int | None, operation: tf.Operation) -> int:
    if multiply_adds is None:
        raise ValueError(f"{operation.name} ({operation.type}) has no static shape: its FLOPs cannot be counted.")
    return multiply_adds


def _product(*sizes: int | None) -> int | None:
    """The product of sizes, None where one is not known."""
    return None if None in sizes else math.prod(sizes)


def _matrix_product(transposed: str) -> Callable[[tf.Operation], int | None]:
    """Counts [..., M, K] times [..., K, N], with an attribute that says whether the left one is transposed."""

    def count(operation: tf.Operation) -> int | None:
        inner = operation.inputs[0].shape[-2 if operation.get_attr(transposed) else -1]
        return _product(operation.outputs[0].shape.num_elements(), inner)

    return count


def _einsum(operation: tf.Operation) -> int | None:
    """Counts an einsum: every combination of the indices that its operands share or its output keeps."""
    if len(operation.inputs) < 2:
        return 0
    equation, output = operation.get_attr("equation").decode().replace(" ", "").split("->")
    shapes = [each.shape for each in operation.inputs]
    terms = [_indices(term, shape.rank) for term, shape in zip(equation.split(","), shapes, strict=True)]
    output = _indices(output, operation.outputs[0].shape.rank)
    pairs = [pair for term, shape in zip(terms, shapes, strict=True) for pair in zip(term, shape, strict=True)]
    sizes = dict(sorted(pairs, key=lambda pair: pair[1] or math.inf))  # 1 is broadcast
    counted = set(output).union(set.intersection(*map(set, terms)))
    return _product(*(sizes[index] for index in counted))


def _indices(term: str, rank: int) -> str:
    """An einsum's term with a letter for each dimension that its ellipsis stands for, counted from the right."""
    missing = rank - len(term.replace("...", ""))
    return term.replace("...", "".join(chr(0x391 + number) for number in reversed(range(missing))))


def _convolution(operation: tf.Operation) -> int | None:
    """Counts a convolution by a kernel [..., in, out]: each output is a sum over the kernel's window and inputs."""
    return _product(operation.outputs[0].shape.num_elements(), *operation.inputs[1].shape[:-1])


def _depthwise_convolution(operation: tf.Operation) -> int | None:
    """Counts a convolution by a kernel [height, width, in, multiplier], each channel by itself."""
    return _product(operation.outputs[0].shape.num_elements(), *operation.inputs[1].shape[:-2])


def _cudnn_recurrence(operation: tf.Operation) -> int | None:
    """Counts cuDNN's LSTM or GRU on [T, 1, D], into which Keras' layers turn where there is a GPU."""
    frames, state, _, weights = (each.shape for each in operation.inputs[:4])
    biases = 2 * RECURRENT_GATES[operation.get_attr("rnn_mode").decode()] * state[0] * state[-1]
    return _product(frames[0] * frames[1], weights[0] and weights[0] - biases)


MULTIPLY_ADDS: dict[str, Callable[[tf.Operation], int | None]] = {
    "MatMul": _matrix_product("transpose_a"),
    "BatchMatMul": _matrix_product("adj_x"),
    "BatchMatMulV2": _matrix_product("adj_x"),
    "BatchMatMulV3": _matrix_product("adj_x"),
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise_convolution,
    "CudnnRNNV3": _cudnn_recurrence,
}


def _short(number: int) -> tuple[str, str]:
    """A number to two digits, and its unit or "": ("3.3", "M")."""
    rounded = float(f"{number:.2g}")
    unit, size = next(((unit, size) for unit, size in UNITS.items() if rounded >= size), ("", 1))
    digits = 1 if unit and rounded < 10 * size else 0
    return f"{rounded / size:.{digits}f}", unit


if __name__ == "__main__":
    import models  # noqa: F401  registers the models

    for name in sys.argv[1:] or MODELS.names():
        print(f"{name}\n    {docstring_line(MODELS.get(name))}")
