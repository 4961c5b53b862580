"""What every format of an exported model must do: say what the model says, in its own runtime."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
from tests.small_models import SMALL
from yt8m_audio.errors import UserError
from yt8m_audio.prediction.agreement import agreement, keras_file_runner, model_runner, saved_model_runner
from yt8m_audio.prediction.export import export_keras_file, export_saved_model
from yt8m_audio.prediction.litert_file import litert_file, litert_runner
from yt8m_audio.prediction.onnx_file import onnx_file, onnx_runner
from yt8m_audio.registry import MODELS

CLASSES, SIZE, FRAMES = 4, 6, np.array([5, 1, 3, 0, 4, 2], "int32")
QUICK = ["FrameLevelLogisticModel", "LstmModel", "DbofModel", "MoeModel", "FeatureLevelAttentionModel"]


def some_and_then_all():
    """A few models in each run of the tests, the others in the slow ones."""
    return [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in MODELS.names()]


each_model = pytest.mark.parametrize("name", some_and_then_all())


def clips(name, seed=0, frames=5):
    random = np.random.default_rng(seed)
    if MODELS.get(name).level == "frame":
        features = random.integers(0, 256, (6, frames, SIZE), dtype=np.uint8)
    else:
        features = random.normal(size=(6, SIZE)).astype("float32")
    return {"features": features, "num_frames": FRAMES, "labels": np.eye(CLASSES, dtype=np.uint8)[[0, 1, 2, 3, 0, 1]]}


def built(name):
    """A model whose weights are no longer what they began as, and what it is fed."""
    keras.utils.set_random_seed(0)
    model = MODELS.get(name)(num_classes=CLASSES, feature_sizes=[4, 2], **SMALL.get(name, {}))
    batch = clips(name)
    model({"features": batch["features"], "num_frames": FRAMES}, training=True)
    for weight in model.trainable_variables:
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.1, seed=0))
    return model, tf.TensorSpec((None, *batch["features"].shape[1:]), batch["features"].dtype)


def difference(model, runner, name):
    return agreement(model_runner(model), runner, [clips(name, seed=1), clips(name, seed=2)]).difference


def calibration(name):
    return [clip for seed in range(9) for clip in zip(clips(name, seed)["features"], FRAMES, strict=True)]


@each_model
def test_saved_model(name, tmp_path):
    model, features = built(name)
    export_saved_model(model, tmp_path / "saved", features)
    assert difference(model, saved_model_runner(tmp_path / "saved"), name) < 1e-6


@each_model
def test_keras_file(name, tmp_path):
    model, _ = built(name)
    export_keras_file(model, tmp_path / "model.keras")
    assert difference(model, keras_file_runner(tmp_path / "model.keras"), name) < 1e-6


def test_code_in_a_keras_file_is_not_run(tmp_path):
    inputs = keras.Input((SIZE,))
    keras.Model(inputs, keras.layers.Lambda(lambda each: each)(inputs)).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="safe_mode"):
        keras_file_runner(tmp_path / "model.keras")


@each_model
@pytest.mark.parametrize(("quantize", "allowed"), [("none", 1e-5), ("float16", 5e-3), ("int8", 0.25)])
def test_litert(name, quantize, allowed):
    model, features = built(name)
    content = litert_file(model, features, quantize, calibration(name))
    assert difference(model, litert_runner(content), name) < allowed


@each_model
def test_onnx(name):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is of the extra [onnx], which is not here")
    model, features = built(name)
    assert difference(model, onnx_runner(onnx_file(model, features)), name) < 1e-5


@pytest.mark.parametrize("quantize", ["float16", "dynamic", "int8"])
def test_quantised_files_are_smaller(quantize):
    keras.utils.set_random_seed(0)
    model = MODELS.get("MlpModel")(num_classes=CLASSES, feature_sizes=[SIZE], mlp_units=256, mlp_layers=2)
    model({"features": clips("MlpModel")["features"], "num_frames": FRAMES})
    spec = tf.TensorSpec((None, SIZE), tf.float32)
    sizes = [len(litert_file(model, spec, each, calibration("MlpModel"))) for each in ("none", quantize)]
    assert sizes[1] / sizes[0] == pytest.approx({"float16": 0.5, "dynamic": 0.25, "int8": 0.25}[quantize], abs=0.05)


def test_a_recurrent_model_of_many_frames_has_no_way_to_int8():
    model, _ = built("GruModel")
    with pytest.raises(UserError, match="GruModel has no way to --quantize=int8: it loops over more than 60 frames"):
        litert_file(model, tf.TensorSpec((None, 61, SIZE), tf.uint8), "int8", [])


def test_a_recurrent_model_is_as_it_was_behind_int8():
    model, features = built("GruModel")
    litert_file(model, features, "int8", calibration("GruModel"))
    assert not any(getattr(layer, "unroll", False) for layer in model._flatten_layers())


class SpectralModel(keras.Model):
    """A model of an operation that no other runtime has."""

    def call(self, inputs, training=False):
        spectrum = tf.signal.fft(tf.cast(tf.linalg.expm(inputs["features"][..., None] * tf.ones(SIZE)), tf.complex64))
        return tf.math.real(tf.reduce_sum(spectrum, axis=-1))


def test_a_model_that_has_no_way_to_litert_says_so():
    with pytest.raises(UserError, match="SpectralModel has no way to LiteRT: ") as error:
        litert_file(SpectralModel(), tf.TensorSpec((None, SIZE), tf.float32))
    assert "\n" not in str(error.value)


def test_a_model_that_has_no_way_to_onnx_says_so():
    pytest.importorskip("tf2onnx", reason="tf2onnx is of the extra [onnx], which is not here")
    with pytest.raises(UserError, match="SpectralModel has no way to ONNX: ") as error:
        onnx_file(SpectralModel(), tf.TensorSpec((None, SIZE), tf.float32))
    assert "\n" not in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec("tf2onnx") is not None, reason="the extra [onnx] is here")
def test_onnx_without_its_packages():
    with pytest.raises(UserError, match=r"pip install 'yt8m-audio\[onnx\]'"):
        onnx_file(built("MoeModel")[0], tf.TensorSpec((None, SIZE), tf.float32))


def test_agreement_tells_the_difference_and_the_drop():
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8)  # the third class has no clip
    batch = {"features": np.zeros((3, 2)), "num_frames": np.ones(3, np.int32), "labels": labels}
    good, bad = np.array([[0.9, 0.1, 0.2], [0.1, 0.8, 0.2], [0.1, 0.1, 0.2]]), np.full((3, 3), 0.5)
    found = agreement(lambda *_: good, lambda *_: bad, [batch])
    assert (found.clips, found.difference, found.model_map) == (3, pytest.approx(0.4), 1.0)
    assert found.drop == pytest.approx(1 - 1 / 3)


def test_agreement_of_scores_that_are_not_finite():
    batch = {"features": np.zeros((1, 2)), "num_frames": np.ones(1), "labels": np.ones((1, 1), np.uint8)}
    found = agreement(lambda *_: np.ones((1, 1)), lambda *_: np.full((1, 1), np.nan), [batch])
    assert not found.difference <= np.inf
