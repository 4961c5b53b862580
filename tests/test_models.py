"""Each model against its formula in NumPy, and what is its own."""

import numpy as np
import pytest
import tensorflow as tf

from models import DbofModel, FrameLevelLogisticModel, FrameLevelModel, LogisticModel, LstmModel
from tests.model_oracles import BYTES, FRAMES, NUM_FRAMES, batch_norm, inputs, make, moe, sigmoid, weights
from yt8m_audio.batch import dequantize
from yt8m_audio.errors import UserError

DBOF = {"iterations": 4, "dbof_cluster_size": 7, "dbof_hidden_size": 6}


class PlainModel(FrameLevelModel):
    """Gives what `classify` is given."""

    def classify(self, frames, mask, training):
        self.mask = mask
        return frames


@pytest.mark.parametrize("normalization", ["batch", "l2", "none"])
def test_padding_is_zero_when_a_model_sees_it(normalization):
    model = make(PlainModel, input_normalization=normalization)
    frames = np.array(model(inputs()))
    np.testing.assert_array_equal(model.mask, np.arange(4) < NUM_FRAMES[:, None])
    np.testing.assert_array_equal(np.abs(frames).sum(-1) > 0, model.mask)


def test_frame_level_logistic():
    model = make(FrameLevelLogisticModel)
    means = np.stack([clip[:count].mean(0) for clip, count in zip(FRAMES, NUM_FRAMES, strict=True)])
    kernel, bias = weights(model.output_layer)
    np.testing.assert_allclose(model(inputs()), means @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_l2_normalized_frames_are_averaged_after_it():
    model = make(FrameLevelLogisticModel, input_normalization="l2")
    frames = FRAMES / np.linalg.norm(FRAMES, axis=-1, keepdims=True)
    means = np.stack([clip[:count].mean(0) for clip, count in zip(frames, NUM_FRAMES, strict=True)])
    kernel, bias = weights(model.output_layer)
    np.testing.assert_allclose(model(inputs()), means @ kernel + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("with_batch_norm", [True, False])
@pytest.mark.parametrize(("method", "pool"), [("max", np.max), ("average", np.mean)])
def test_dbof(with_batch_norm, method, pool):
    model = make(DbofModel, dbof_add_batch_norm=with_batch_norm, dbof_pooling_method=method, **DBOF)
    norm = (lambda name, values: batch_norm(model.norms[name], values)) if with_batch_norm else lambda name, x: x
    cluster, *of_clusters = weights(model.clusters)
    hidden, *hidden_bias = weights(model.hidden)
    assert len(hidden_bias) == (0 if with_batch_norm else 1)
    clusters = norm("frames", FRAMES) @ cluster
    votes = sigmoid(batch_norm(model.clusters, clusters) if with_batch_norm else clusters + of_clusters[0])  # [B, T, K]
    pooled = np.stack([pool(clip[:count], axis=0) for clip, count in zip(votes, NUM_FRAMES, strict=True)])
    summary = sigmoid(norm("hidden", norm("pool", pooled) @ hidden + sum(hidden_bias)))
    np.testing.assert_allclose(sigmoid(model(inputs())), moe(model.classifier, summary), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "function"),
    [("sigmoid", sigmoid), ("relu", lambda x: np.maximum(x, 0)), ("relu6", lambda x: np.clip(x, 0, 6))],
)
def test_dbof_activations(name, function):
    model = make(DbofModel, dbof_activation=name, dbof_add_batch_norm=False, **DBOF)
    model.clusters.bias.assign(np.linspace(-9, 9, 7))
    cluster, bias = weights(model.clusters)
    hidden, hidden_bias = weights(model.hidden)
    pooled = np.stack(
        [function(clip[:count] @ cluster + bias).max(0) for clip, count in zip(FRAMES, NUM_FRAMES, strict=True)]
    )
    summary = function(pooled @ hidden + hidden_bias)
    np.testing.assert_allclose(sigmoid(model(inputs())), moe(model.classifier, summary), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("at_random", [True, False])
def test_dbof_samples_real_frames_alone(at_random):
    model = DbofModel(num_classes=3, feature_sizes=(1,), sample_random_frames=at_random, **DBOF)
    num_frames = np.array([9, 2, 1, 0] * 50)
    places = tf.tile(tf.range(20.0)[None, :, None], [200, 1, 1])  # frame t holds t
    frames, mask = model.sample(places, tf.range(20)[None, :] < num_frames[:, None])
    assert frames.shape == (200, 4, 1)
    assert mask.shape == (200, 4)
    for count in (9, 2, 1):
        assert set(np.unique(frames[num_frames == count])) == set(range(count))
    np.testing.assert_array_equal(mask, np.repeat(num_frames[:, None] > 0, 4, axis=1))


def test_dbof_samples_each_frame_equally_often():
    model = DbofModel(num_classes=3, feature_sizes=(1,), iterations=30)
    frames, _ = model.sample(tf.tile(tf.range(5.0)[None, :, None], [2000, 1, 1]), tf.fill([2000, 5], True))
    np.testing.assert_allclose(np.bincount(np.ravel(frames).astype(int)) / 60_000, 0.2, atol=0.01)


def test_dbof_samples_a_run_of_frames():
    model = DbofModel(num_classes=3, feature_sizes=(1,), sample_random_frames=False, **DBOF)
    places = tf.tile(tf.range(9.0)[None, :, None], [300, 1, 1])
    frames, _ = model.sample(places, tf.fill([300, 9], True))
    starts = np.ravel(frames[:, 0])
    np.testing.assert_array_equal(np.squeeze(frames), starts[:, None] + np.arange(4))
    assert set(starts) == {0, 1, 2, 3, 4, 5}


def test_dbof_samples_the_same_from_the_same_state():
    model = make(DbofModel, **{**DBOF, "iterations": 2})
    state = np.array(model.random.state)
    first, second = model(inputs(), training=True), model(inputs(), training=True)
    model.random.state.assign(state)
    again = model(inputs(), training=True)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 1e-4


@pytest.mark.parametrize(("iterations", "training", "drawn"), [(3, True, True), (3, False, False), (4, True, False)])
def test_dbof_samples_in_training_where_there_are_more_frames(iterations, training, drawn):
    model = make(DbofModel, **{**DBOF, "iterations": iterations})
    before = np.array(model.random.state)
    model(inputs(), training=training)
    assert np.array_equal(model.random.state, before) is not drawn


@pytest.mark.slow
@pytest.mark.parametrize("random_frames", [True, False])
def test_dbof_sampling_is_compiled_by_xla(random_frames):
    model = make(DbofModel, **{**DBOF, "iterations": 2}, sample_random_frames=random_frames)
    five_frames = np.random.default_rng(0).integers(0, 256, (3, 5, 5), dtype=np.uint8)
    before = np.array(model.random.state)

    @tf.function(jit_compile=True)
    def step():
        with tf.GradientTape() as tape:
            logits = model(inputs(five_frames), training=True)
            total = tf.reduce_sum(logits**2)
        return logits, tape.gradient(total, [weight.value for weight in model.trainable_variables])

    logits, gradients = step()
    assert not np.array_equal(model.random.state, before)
    assert all(np.isfinite(each).all() for each in (logits, *gradients))


@pytest.mark.parametrize("cls", [DbofModel, LstmModel])
def test_another_classifier_on_top_takes_its_hyper_parameters(cls):
    small = {**DBOF} if cls is DbofModel else {"lstm_cells": 6}
    model = make(cls, video_level_classifier_model="LogisticModel", l2_penalty=0.5, **small)
    assert isinstance(model.classifier, LogisticModel)
    assert float(model.classifier.output_layer.kernel_regularizer.l2) == 0.5
    assert make(cls, moe_num_mixtures=5, **small).classifier.mixture.num_mixtures == 5


@pytest.mark.parametrize(
    ("cls", "wrong", "message"),
    [
        (DbofModel, {"dbof_pooling_method": "min"}, "--dbof_pooling_method=min is none of max, average"),
        (DbofModel, {"dbof_activation": "tanh"}, "--dbof_activation=tanh is none of sigmoid, relu, relu6"),
        (LstmModel, {"video_level_classifier_model": "MoeModle"}, "Did you mean MoeModel"),
        (LstmModel, {"video_level_classifier_model": "LstmModel"}, "is a frame-level model"),
    ],
)
def test_wrong_hyper_parameters(cls, wrong, message):
    with pytest.raises(UserError, match=message):
        cls(num_classes=3, feature_sizes=(5,), **wrong)


def test_bytes_are_dequantized_as_the_formula_says():
    np.testing.assert_allclose(dequantize(tf.constant(BYTES)), FRAMES, atol=1e-6)
