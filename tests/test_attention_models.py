"""The models that attend to frames, against their formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from models import (
    DecisionLevelAttentionModel,
    FeatureLevelAttentionModel,
    MultiHeadAttentionModel,
    MultiLevelAttentionModel,
)
from models.layers import AttentionPooling, SigmoidAttention, log_normalize
from tests.model_oracles import FRAMES, NUM_FRAMES, batch_norm, inputs, make, sigmoid, weights
from yt8m_audio.errors import UserError

HIDDEN = {"hidden_units": 6, "hidden_layers": 3}


def hidden_layers(layer, values):
    """The outputs of each layer of Dense, batch normalisation and ReLU, as in inference."""
    outputs = []
    for dense, norm in zip(layer.dense, layer.norms, strict=True):
        values = np.maximum(batch_norm(norm, values @ weights(dense)[0]), 0)
        outputs.append(values)
    return outputs


def dense(layer, values):
    kernel, *bias = weights(layer)
    return values @ kernel + sum(bias)


def over_real_frames(pool, *values):
    """Pools what belongs to each clip's own frames, [B, T, ...]."""
    clips = [[each[clip, :count] for each in values] for clip, count in enumerate(NUM_FRAMES)]
    return np.stack([pool(*clip) for clip in clips])


def attention_average(values, attention):
    """Averages values [T, K] by what a clipped sigmoid makes of attention [T, K]."""
    attention = np.clip(sigmoid(attention), 1e-7, 1 - 1e-7)
    return (attention / attention.sum(0) * values).sum(0)


def votes(layer, hidden):
    """The probabilities [B, C] that frames [B, T, H] vote for."""
    return over_real_frames(attention_average, sigmoid(dense(layer.values, hidden)), dense(layer.attention, hidden))


def test_decision_level_attention():
    model = make(DecisionLevelAttentionModel, **HIDDEN)
    hidden = hidden_layers(model.trunk, FRAMES)[-1]
    np.testing.assert_allclose(sigmoid(model(inputs())), votes(model.attention, hidden), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("layers", "levels"), [(1, [0]), (2, [1]), (3, [1, 2])])
def test_multi_level_attention(layers, levels):
    model = make(MultiLevelAttentionModel, **{**HIDDEN, "hidden_layers": layers})
    hidden = hidden_layers(model.trunk, FRAMES)
    together = [votes(layer, hidden[level]) for layer, level in zip(model.attentions, levels, strict=True)]
    expected = dense(model.output_layer, np.concatenate(together, axis=-1))
    np.testing.assert_allclose(model(inputs()), expected, rtol=1e-3, atol=1e-5)


def test_feature_level_attention():
    model = make(FeatureLevelAttentionModel, **HIDDEN)
    hidden = hidden_layers(model.trunk, FRAMES)[-1]
    layer = model.attention
    pooled = over_real_frames(attention_average, dense(layer.values, hidden), dense(layer.attention, hidden))
    expected = dense(model.output_layer, np.maximum(batch_norm(model.norm, pooled), 0))
    np.testing.assert_allclose(model(inputs()), expected, rtol=1e-3, atol=1e-5)


def softmax_average(frames, scores):
    """Averages frames [T, D] by each column of scores [T, heads], the averages beside each other: [heads · D]."""
    shares = np.exp(scores) / np.exp(scores).sum(0)
    return (shares.T @ frames).ravel()


@pytest.mark.parametrize("heads", [1, 3])
def test_multi_head_attention(heads):
    model = make(MultiHeadAttentionModel, attention_heads=heads, **HIDDEN)
    hidden = hidden_layers(model.trunk, FRAMES)[-1]
    pooled = over_real_frames(softmax_average, hidden, dense(model.pooling.scores, hidden))
    expected = dense(model.output_layer, hidden_layers(model.hidden, pooled)[-1])
    np.testing.assert_allclose(model(inputs()), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("units", [0, 4])
def test_attention_pooling(units):
    layer, mask = AttentionPooling(heads=2, units=units), np.arange(4) < NUM_FRAMES[:, None]
    found = layer(tf.constant(FRAMES, tf.float32), mask=tf.constant(mask))
    scored = np.tanh(dense(layer.hidden, FRAMES)) if units else FRAMES
    expected = over_real_frames(softmax_average, FRAMES, dense(layer.scores, scored))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_of_a_sigmoid_is_clipped_and_shared_among_real_frames():
    scores = np.array([[[0.0], [np.log(3)], [50.0]], [[-90.0], [90.0], [0.0]], [[5.0], [9.0], [9.0]]], "float32")
    mask = np.arange(3) < np.array([[2], [2], [0]])
    found = np.exp(log_normalize(tf.constant(scores), tf.constant(mask)))[:, :, 0]
    np.testing.assert_allclose(found[:2], [[0.4, 0.6, 0], [1e-7, 1, 0]], rtol=1e-4)
    np.testing.assert_array_equal(found[2], [1, 0, 0])  # a clip without frames


@pytest.mark.parametrize("layer", [SigmoidAttention(3, use_bias=False), AttentionPooling(2, units=3)])
def test_attention_layers_are_saved_with_their_settings(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    "cls",
    [DecisionLevelAttentionModel, MultiLevelAttentionModel, FeatureLevelAttentionModel, MultiHeadAttentionModel],
)
@pytest.mark.parametrize("dropout", [1.0, -0.1])
def test_dropout_out_of_range(cls, dropout):
    with pytest.raises(UserError, match=rf"--dropout={dropout:g} must be in \[0, 1\)"):
        cls(num_classes=3, feature_sizes=(5,), dropout=dropout)


@pytest.mark.parametrize("cls", [DecisionLevelAttentionModel, FeatureLevelAttentionModel, MultiHeadAttentionModel])
def test_dropout_is_of_training_alone(cls):
    model = make(cls, hidden_units=64, hidden_layers=1, dropout=0.5)
    np.testing.assert_array_equal(model(inputs()), model(inputs()))
    assert np.abs(model(inputs(), training=True) - model(inputs(), training=True)).max() > 1e-3
