"""The models of one vector a clip, against their formulas in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import ChainModel, FrameLevelLogisticModel, LogisticModel, MlpModel, MoeModel
from models.layers import ProbabilityGating
from models.moe import MixtureOfExperts
from tests.model_oracles import FRAMES, batch_norm, inputs, make, mixture_of_experts, moe, sigmoid, weights
from yt8m_audio.errors import UserError

FEATURES = FRAMES[:, 0].astype("float32")


def test_logistic():
    model = make(LogisticModel)
    kernel, bias = weights(model.output_layer)
    np.testing.assert_allclose(model(inputs(FEATURES)), FEATURES @ kernel + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mixtures", [1, 2, 5])
@pytest.mark.parametrize(
    "gating",
    [
        {},
        {"moe_feature_gating": True},
        {"moe_prob_gating": True},
        {"moe_feature_gating": True, "moe_prob_gating": True},
    ],
)
def test_moe(mixtures, gating):
    model = make(MoeModel, moe_num_mixtures=mixtures, **gating)
    np.testing.assert_allclose(sigmoid(model(inputs(FEATURES))), moe(model, FEATURES), rtol=1e-4, atol=1e-6)


def test_moe_stays_exact_where_probabilities_end():
    model = make(MoeModel, moe_num_mixtures=1)
    model.mixture.gates.kernel.assign(tf.zeros([5, 6]))
    model.mixture.experts.kernel.assign(tf.zeros([5, 3]))
    model.mixture.experts.bias.assign([80.0, -80.0, 0.0])  # with a dummy of equal weight: p = 1/2, e^-80 / 2, 1/4
    expected = [[0.0, -80 - np.log(2), -np.log(3)]]
    np.testing.assert_allclose(model(inputs(np.ones((1, 5), "float32"), [1])), expected, rtol=1e-6, atol=1e-6)


def test_experts_that_are_far_apart():
    layer = MixtureOfExperts(num_classes=1, num_mixtures=3)
    layer(tf.ones([1, 1]))
    layer.experts.kernel.assign([[0.0, 0.0, 0.0]])
    layer.gates.kernel.assign([[0.0, 500.0, 0.0, -500.0]])  # the second of three experts has all trust
    layer.experts.bias.assign([200.0, 3.0, -200.0])
    np.testing.assert_allclose(layer(tf.ones([1, 1])), [[3.0]], rtol=1e-4)


def test_gated_probabilities_stay_exact_where_they_end():
    model = make(MoeModel, moe_num_mixtures=1, moe_prob_gating=True)
    for weight in [model.mixture.gates.kernel, model.mixture.experts.kernel, model.probability_gating.gates.kernel]:
        weight.assign(tf.zeros_like(weight))
    model.mixture.experts.bias.assign([-80.0, 0.0, 0.0])  # p = e^-80 / 2, 1/4, 1/4
    norm = model.probability_gating.gates_norm
    norm.moving_mean.assign([0.0, 0.0, 0.0])
    norm.beta.assign([0.0, -60.0, 60.0])  # gates 1/2, e^-60, 1
    expected = [[-80 - np.log(4), -60 - np.log(4), -np.log(3)]]
    np.testing.assert_allclose(model(inputs(np.ones((1, 5), "float32"), [1])), expected, rtol=1e-5)


def test_clips_without_frames_do_not_count_among_gates():
    gates = {"moe_feature_gating": True, "moe_prob_gating": True}
    among_others = make(MoeModel, **gates)(inputs(FEATURES, [4, 0, 3]), training=True)
    alone = make(MoeModel, **gates)(inputs(FEATURES[[0, 2]], [4, 3]), training=True)
    np.testing.assert_allclose(np.array(among_others)[[0, 2]], alone, rtol=1e-4, atol=1e-5)


def test_a_gated_mixture_is_saved_with_its_settings(tmp_path):
    model = make(MoeModel, moe_num_mixtures=3, moe_feature_gating=True, moe_prob_gating=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs(FEATURES)), model(inputs(FEATURES)))


def test_gates_of_probabilities_stay_exact_under_mixed_precision():
    layer, logits = ProbabilityGating(dtype="mixed_bfloat16"), tf.constant([[-7.003]])  # bfloat16's step is 0.03
    layer(logits, mask=tf.constant([True]))
    layer.gates_norm.beta.assign([20.0])  # a gate that is open
    np.testing.assert_allclose(layer(logits, mask=tf.constant([True])), logits, rtol=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_chain(layers):
    model = make(ChainModel, chain_layers=layers, chain_units=4)
    features = np.array(FEATURES, "float64")
    for stage, projection in zip(model.stages[:-1], model.projections, strict=True):
        kernel, bias = weights(projection)
        projected = np.maximum(mixture_of_experts(stage, features) @ kernel + bias, 0)
        projected /= np.linalg.norm(projected, axis=-1, keepdims=True)
        features = np.concatenate([features, projected], axis=-1)
    assert features.shape == (3, 5 + 4 * layers)
    expected = mixture_of_experts(model.stages[-1], features)
    np.testing.assert_allclose(sigmoid(model(inputs(FEATURES))), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 3])
def test_mlp(layers):
    model = make(MlpModel, mlp_units=6, mlp_layers=layers)

    def activate(norm, values):
        return np.maximum(batch_norm(norm, values), 0)

    hidden = FEATURES @ weights(model.widen)[0]
    dense, norms = [weights(layer)[0] for layer in model.layers_of_blocks], model.norms
    for block in range(layers):
        inner = activate(norms[2 * block], hidden) @ dense[2 * block]
        hidden = hidden + activate(norms[2 * block + 1], inner) @ dense[2 * block + 1]
    kernel, bias = weights(model.output_layer)
    expected = activate(norms[-1], hidden) @ kernel + bias
    np.testing.assert_allclose(model(inputs(FEATURES)), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mlp_dropout", [1.0, -0.1])
def test_dropout_out_of_range(mlp_dropout):
    with pytest.raises(UserError, match=rf"--mlp_dropout={mlp_dropout:g} must be in \[0, 1\)"):
        MlpModel(num_classes=3, feature_sizes=(5,), mlp_dropout=mlp_dropout)


@pytest.mark.parametrize("cls", [LogisticModel, FrameLevelLogisticModel, MoeModel, ChainModel])
def test_weights_of_classifiers_are_penalized(cls):
    model = make(cls, l2_penalty=0.1)
    expected = 0.1 * sum(np.sum(np.square(each)) for each in model.trainable_variables if "kernel" in each.path)
    np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)
