"""What every registered model must do; a new one is tested by being registered."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
from models.base import INPUT_NORMALIZATIONS
from models.layers import frame_mask, masked_mean
from tests.small_models import SMALL
from yt8m_audio.batch import dequantize
from yt8m_audio.commands.assemble import complete_model, make_model_of
from yt8m_audio.config import Config, DataConfig, ModelConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.metrics import average_precision_per_class
from yt8m_audio.evaluation.scoring import score, scoring_function
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.registry import LOSSES, MODELS, hyper_parameters
from yt8m_audio.training.checkpoints import Checkpoints

CLASSES, SIZE = 4, 6
FRAMES = np.array([5, 1, 3, 0, 4, 2], "int32")

every_model = pytest.mark.parametrize("name", MODELS.names())
every_frame_level_model = pytest.mark.parametrize(
    "name", [name for name in MODELS.names() if MODELS.get(name).level == "frame"]
)


def make(name, **more):
    return MODELS.get(name)(num_classes=CLASSES, feature_sizes=[4, SIZE - 4], **SMALL.get(name, {}), **more)


def clips(name, num_frames=FRAMES, seed=0, max_frames=5):
    """Random clips as a model takes them: bytes [B, T, SIZE], or floats [B, SIZE]."""
    random, batch = np.random.default_rng(seed), len(num_frames)
    if MODELS.get(name).level == "frame":
        features = random.integers(0, 256, (batch, max_frames, SIZE), dtype=np.uint8)
    else:
        features = random.normal(size=(batch, SIZE)).astype("float32")
    return {"features": tf.constant(features), "num_frames": tf.constant(num_frames)}


def made_and_moved(name, seed=0, **more):
    """A model all of whose weights, and averages of batch normalisation, are no longer what they began as."""
    keras.utils.set_random_seed(seed)
    model = make(name, **more)
    model(clips(name), training=True)
    for weight in model.trainable_variables:
        weight.assign_add(keras.random.normal(weight.shape, stddev=0.3, seed=seed))
    return model


def gradients(model, inputs, labels):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(LOSSES.get("CrossEntropyLoss")()(labels, model(inputs, training=True)))
    return loss, tape.gradient(loss, [weight.value for weight in model.trainable_variables])


@every_model
def test_is_small_enough_for_these_tests(name):
    model = make(name)
    model(clips(name))
    assert model.count_params() < 20_000, f"give {name} small hyper-parameters in SMALL"


@every_model
def test_hyper_parameters_are_documented(name):
    found = hyper_parameters(MODELS.get(name))
    assert [each for each in found if not found[each].help] == []
    assert not {"num_classes", "feature_sizes"} & set(found)
    assert set(SMALL.get(name, {})) <= set(found)


@every_model
def test_its_file_names_no_tensorflow(name):
    assert "tensorflow" not in inspect.getsource(inspect.getmodule(MODELS.get(name)))


@every_model
def test_gives_float32_logits(name):
    logits = made_and_moved(name)(clips(name))
    assert (logits.dtype, logits.shape) == (tf.float32, (6, CLASSES))
    assert np.isfinite(logits).all()
    assert np.min(logits) < 0, "probabilities rather than logits?"


@every_model
def test_a_clip_is_classified_alone_as_among_others(name):
    model, inputs = made_and_moved(name), clips(name)
    alone = [model({key: value[row : row + 1] for key, value in inputs.items()}) for row in range(6)]
    np.testing.assert_allclose(np.concatenate(alone), model(inputs), rtol=1e-4, atol=1e-5)


@every_model
def test_inference_is_deterministic(name):
    model = made_and_moved(name)
    np.testing.assert_array_equal(model(clips(name)), model(clips(name)))


@every_model
def test_different_clips_get_different_logits(name):
    model = made_and_moved(name)
    real = FRAMES > 0
    assert (np.abs(model(clips(name, seed=1)) - model(clips(name, seed=2))).max(axis=1)[real] > 1e-4).all()


@every_frame_level_model
@pytest.mark.parametrize("training", [False, True])
def test_bytes_behind_num_frames_do_not_count(name, training):
    inputs = clips(name)
    padding = np.arange(5)[None, :, None] >= FRAMES[:, None, None]
    changed = {**inputs, "features": tf.where(padding, np.uint8(255), inputs["features"])}
    logits = [made_and_moved(name)(each, training=training) for each in (inputs, changed)]
    np.testing.assert_allclose(*logits, rtol=1e-5, atol=1e-6)


@every_frame_level_model
def test_more_padding_does_not_count(name):
    model, inputs = made_and_moved(name), clips(name)
    longer = {**inputs, "features": tf.pad(inputs["features"], [[0, 0], [0, 4], [0, 0]], constant_values=99)}
    np.testing.assert_allclose(model(longer), model(inputs), rtol=1e-5, atol=1e-5)


@every_frame_level_model
def test_bytes_and_the_values_they_stand_for_give_the_same(name):
    model, inputs = made_and_moved(name), clips(name)
    floats = {**inputs, "features": dequantize(inputs["features"])}
    np.testing.assert_allclose(model(floats), model(inputs), rtol=1e-5, atol=1e-5)


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_clips_without_frames_give_finite_logits(name, training):
    model = made_and_moved(name)
    empty = clips(name, num_frames=np.zeros(3, "int32"))
    assert np.isfinite(model(empty, training=training)).all()
    assert np.isfinite(model(clips(name))).all(), "the averages of batch normalisation are spoilt"


@every_model
def test_clips_without_frames_do_not_count_in_training(name):
    inputs, real = clips(name, np.minimum(FRAMES, 3), max_frames=3), FRAMES > 0
    among_others = made_and_moved(name)(inputs, training=True)
    alone = made_and_moved(name)({key: value[real] for key, value in inputs.items()}, training=True)
    np.testing.assert_allclose(among_others[real], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["LogisticModel", "FrameLevelLogisticModel", "DbofModel"])  # the base class does it
@pytest.mark.parametrize("normalization", INPUT_NORMALIZATIONS)
def test_input_normalizations(name, normalization):
    model = made_and_moved(name, input_normalization=normalization)
    assert model.input_normalization == normalization
    assert np.isfinite(model(clips(name))).all()
    assert any("input_batch_norm" in weight.path for weight in model.weights) == (normalization == "batch")


def test_an_unknown_input_normalization():
    with pytest.raises(UserError, match="--input_normalization=l3 is none of batch, l2, none"):
        make("LogisticModel", input_normalization="l3")


@every_model
def test_checkpoint_into_a_second_instance(name, tmp_path):
    first, second = made_and_moved(name, seed=1), made_and_moved(name, seed=2)
    assert np.abs(first(clips(name)) - second(clips(name))).max() > 1e-3
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(7, first.variables)
    checkpoints.restore(7, second.variables)
    np.testing.assert_array_equal(first(clips(name)), second(clips(name)))


@every_model
def test_keras_own_file(name, tmp_path):
    model = made_and_moved(name, input_normalization="batch")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded(clips(name)), model(clips(name)))


@every_model
def test_every_weight_has_a_gradient(name):
    model = made_and_moved(name)
    _, found = gradients(model, clips(name), np.eye(CLASSES, dtype="uint8")[[0, 1, 2, 3, 0, 1]])
    without = [
        weight.path
        for weight, gradient in zip(model.trainable_variables, found, strict=True)
        if gradient is None or not np.any(gradient) or not np.isfinite(gradient).all()
    ]
    assert without == []


@every_frame_level_model
def test_the_order_of_frames(name):
    model, inputs, whole = made_and_moved(name), clips(name), FRAMES == 5
    reversed_frames = {**inputs, "features": inputs["features"][:, ::-1]}
    difference = np.abs(model(reversed_frames) - model(inputs))[whole].max()
    assert bool(difference > 1e-4) is MODELS.get(name).frame_order_matters, difference


@every_model
def test_eval_and_inference_say_the_same(name):
    model, inputs = made_and_moved(name), clips(name)
    dataset = tf.data.Dataset.from_tensors(
        {
            **inputs,
            "video_id": tf.constant(list("abcdef")),
            "labels": tf.zeros([6, CLASSES], tf.uint8),
            "example_weights": tf.ones(6),
            "start_time": tf.zeros(6),
            "end_time": tf.zeros(6),
        }
    )
    scores = score(scoring_function(model, LOSSES.get("CrossEntropyLoss")()), dataset, 6, CLASSES)
    predicted = np.full((6, CLASSES), np.nan)
    for found in Predictor(model, top_k=CLASSES)(dataset):
        np.put_along_axis(predicted, found.classes, found.scores, axis=1)
    np.testing.assert_allclose(predicted, scores.probabilities, rtol=1e-5)


@every_model
def test_rebuilt_from_config_json(name, tmp_path):
    given = complete_model(ModelConfig(name, SMALL.get(name, {})))
    config = Config(DataConfig(feature_sizes="4,2", num_classes=CLASSES, frame_features=True), given)
    again = Config.from_dict(json.loads(json.dumps(config.to_dict())))
    keras.utils.set_random_seed(0)
    first, second = make_model_of(config)(), make_model_of(again)()
    for model in (first, second):
        model(clips(name), training=True)
    assert np.abs(first(clips(name)) - second(clips(name))).max() > 1e-4
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, first.variables)
    checkpoints.restore(1, second.variables)
    np.testing.assert_array_equal(first(clips(name)), second(clips(name)))


def learnable(name):
    """64 clips whose labels can be told from the mean of their frames."""
    inputs = clips(name, num_frames=np.random.default_rng(3).integers(1, 6, 64, dtype=np.int32))
    values = dequantize(inputs["features"])
    if MODELS.get(name).level == "frame":
        values = masked_mean(values, frame_mask(inputs["num_frames"], 5))
    return inputs, tf.cast(values[:, :CLASSES] > 0.3, tf.uint8)


@every_model
@pytest.mark.slow
def test_learns_64_clips(name):
    keras.utils.set_random_seed(0)
    model, optimizer = make(name), keras.optimizers.Adam(0.01)
    inputs, labels = learnable(name)
    loss = LOSSES.get("CrossEntropyLoss")()
    model(inputs)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train():
        total = 0.0
        for _ in tf.range(20):
            with tf.GradientTape() as tape:
                total = tf.reduce_mean(loss(labels, model(inputs, training=True))) + sum(model.losses)
            found = tape.gradient(total, [weight.value for weight in model.trainable_variables])
            optimizer.apply(found, model.trainable_variables)
        return total

    losses, precision = [], 0.0
    while precision <= 0.9 and len(losses) < 30:
        losses.append(float(train()))
        precision = np.mean(average_precision_per_class(model(inputs), labels))
    assert precision > 0.9, f"mAP {precision} and loss {losses[-1]} after {20 * len(losses)} steps"
    assert losses[-1] < 4 * np.log(2), "the loss of knowing nothing"


@every_model
@pytest.mark.slow
def test_compiled_by_xla_it_gives_the_same(name):
    model, inputs = made_and_moved(name), clips(name, np.minimum(FRAMES, 3), max_frames=3)
    labels = np.eye(CLASSES, dtype="uint8")[[0, 1, 2, 3, 0, 1]]
    before = [np.array(each) for each in model.variables]
    plain = [model(inputs), *gradients(model, inputs, labels)]
    for variable, value in zip(model.variables, before, strict=True):
        variable.assign(value)
    compiled = tf.function(lambda: [model(inputs), *gradients(model, inputs, labels)], jit_compile=True)()
    for one, other in zip(tf.nest.flatten(compiled), tf.nest.flatten(plain), strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.fixture
def bfloat16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@every_model
@pytest.mark.parametrize("training", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_mixed_precision(name, training, request):
    exact = made_and_moved(name)
    request.getfixturevalue("bfloat16")
    mixed = make(name)
    mixed(clips(name))
    for weight, value in zip(mixed.variables, exact.variables, strict=True):
        weight.assign(value)
    logits = mixed(clips(name), training=training)
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(logits, exact(clips(name), training=training), atol=0.1)
    assert all(weight.dtype == "float32" for weight in mixed.trainable_variables)
