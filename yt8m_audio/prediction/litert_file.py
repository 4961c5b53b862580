"""LiteRT files (`.tflite`, TensorFlow Lite before), for telephones, browsers and small computers: made, and run.

    content = litert_file(model, tf.TensorSpec((None, 10, 128), tf.uint8))
    predict = litert_runner(content)
    predict(features, num_frames)                       # float32 [N, C]

A file takes one clip, features [1, T, D] and num_frames [1], as recurrent layers need a fixed batch there. Its
variables are constants: a Keras 3 LSTM that is converted with its variables fails when it is invoked.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.schema_py_generated import BuiltinOperator
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.native_output import held_back
from yt8m_audio.prediction.signatures import DEFAULT, fed, probabilities_function

QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
MOST_UNROLLED = 60  # frames: each makes the graph longer
FLOAT16 = np.finfo(np.float16)
LOOPS = {"While", "StatelessWhile"}
PRODUCTS = {"FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"}
LEFT_IN_FLOAT = sorted({name for name in vars(BuiltinOperator) if not name.startswith("_")} - PRODUCTS)


def litert_file(
    model: keras.Model,
    features: tf.TensorSpec,
    quantize: str = "none",
    calibration: Sequence | None = None,
    temperature: float = 1.0,
) -> bytes:
    """Converts a model.

    With int8, matrix products and convolutions are of whole numbers and all else is of floats: where everything was
    quantised, a mixture of experts fell from mAP .533 to .029, and to .531 so.

    Args:
        model: built, in float32.
        features: what it is fed: uint8 or float32 [None, T, D], or float32 [None, D].
        quantize: none, float16 (weights, half the size), dynamic (weights of 8 bits, a quarter) or int8 (and what
            matrix products take and give).
        calibration: for int8: pairs of features [T, D] and num_frames [] of some clips.
        temperature: that logits are divided by.

    Raises:
        UserError: if there is no way to LiteRT, or to int8, for this model.
    """
    with unrolled(model, features) if quantize == "int8" else contextlib.nullcontext():
        constant = without_variables(model, features, temperature)
    graph = constant.graph.as_graph_def()
    if quantize == "int8":
        _check_loops(graph, model)
    if quantize == "float16":
        fit_float16(graph)
    module = tf.Module()
    module.predict = _function_of(graph, constant.outputs[0].name, features)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), explained(model), held_back():
        warnings.simplefilter("ignore")
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, folder, signatures={DEFAULT: module.predict}, options=options)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[DEFAULT])
        return _converted(converter, quantize, calibration)


def without_variables(model: keras.Model, features: tf.TensorSpec, temperature: float = 1.0) -> Callable:
    """The function of features [1, T, D] and num_frames [1] that gives probabilities, its variables made constants."""
    concrete = probabilities_function(model, temperature).get_concrete_function(*fed(features, 1))
    return convert_variables_to_constants_v2(concrete, lower_control_flow=False)


def _converted(converter: tf.lite.TFLiteConverter, quantize: str, calibration: Sequence | None) -> bytes:
    """Converts with the settings of a quantisation."""
    if quantize == "none":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize != "int8":
        return converter.convert()
    converter.representative_dataset = lambda: (
        (DEFAULT, {"features": clip[None], "num_frames": frames[None]}) for clip, frames in calibration
    )
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=LEFT_IN_FLOAT)
    return tf.lite.experimental.QuantizationDebugger(  # the one thing that quantises some operations and not others
        converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
    ).get_nondebug_quantized_model()


@contextlib.contextmanager
def explained(model: keras.Model) -> Iterator[None]:
    """Turns what the converter raises, pages of it, into one line."""
    try:
        yield
    except Exception as error:  # ConverterError, ValueError, RuntimeError, as the fault lies
        said = next((line.strip() for line in str(error).splitlines() if "error:" in line), str(error).split("\n")[0])
        raise UserError(f"{type(model).__name__} has no way to LiteRT: {said}") from error


def _function_of(graph, output: str, features: tf.TensorSpec) -> Callable:
    """The function that a graph computes of its inputs features and num_frames."""

    @tf.function(input_signature=fed(features, 1))
    def predict(features, num_frames):
        inputs = {"features": features, "num_frames": num_frames}
        return {"predictions": tf.graph_util.import_graph_def(graph, inputs, [output])[0]}

    return predict


def fit_float16(graph) -> None:
    """Has single numbers, such as the 1e-12 by which a vector is at least divided, be none that float16 makes 0."""
    for node in _nodes(graph):
        value = node.attr["value"].tensor if node.op == "Const" else None
        if value is None or value.dtype != tf.float32.as_datatype_enum or value.tensor_shape.dim:
            continue
        number = tf.make_ndarray(value)
        size = np.clip(np.abs(number), FLOAT16.tiny, FLOAT16.max)
        if np.isfinite(number) and number != 0:
            value.CopyFrom(tf.make_tensor_proto(np.float32(np.sign(number) * size)))


def _nodes(graph) -> list:
    """The nodes of a graph, and those of the functions that it calls."""
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def _check_loops(graph, model: keras.Model) -> None:
    """Raises a UserError where the model has a loop: to calibrate one ends the process, without a word."""
    if LOOPS & {node.op for node in _nodes(graph)}:
        raise UserError(
            f"{type(model).__name__} has no way to --quantize=int8: it loops over more than {MOST_UNROLLED} frames, or "
            "over something else, and LiteRT calibrates no loop: give --quantize=float16."
        )


@contextlib.contextmanager
def unrolled(model: keras.Model, features: tf.TensorSpec) -> Iterator[None]:
    """Has Keras' recurrent layers write their steps one after another, rather than loop, where there are few frames."""
    layers = [layer for layer in model._flatten_layers() if getattr(layer, "unroll", None) is False]
    few = features.shape.rank == 3 and features.shape[1] <= MOST_UNROLLED
    for layer in layers:
        layer.unroll = few
    try:
        yield
    finally:
        for layer in layers:
            layer.unroll = False


def litert_runner(content: bytes) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Makes a function of features [N, T, D] and num_frames [N] that gives probabilities [N, C], clip by clip."""
    with held_back():
        interpreter = _interpreter(content)
        interpreter.allocate_tensors()
    predict = interpreter.get_signature_runner(DEFAULT)

    def run(features: np.ndarray, num_frames: np.ndarray) -> np.ndarray:
        clips = zip(features, num_frames, strict=True)
        return np.concatenate(
            [predict(features=clip[None], num_frames=frames[None])["predictions"] for clip, frames in clips]
        )

    return run


def _interpreter(content: bytes):
    """LiteRT's interpreter: that of its own package where it is installed, else TensorFlow's.

    With its default delegate TensorFlow 2.21's gave scores of an int8 file that were off by 0.9; without, right ones.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        with warnings.catch_warnings():  # it says that it will go one day
            warnings.simplefilter("ignore")
            return tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=plain)
    return Interpreter(model_content=content)
