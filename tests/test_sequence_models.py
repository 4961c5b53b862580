"""ConvModel and TransformerModel against their formulas in NumPy."""

import numpy as np
import pytest

from models import ConvModel, TransformerModel
from models.transformer import sinusoids
from tests.model_oracles import FRAMES, NUM_FRAMES, batch_norm, inputs, make, summaries, weights
from yt8m_audio.errors import UserError

CLIPS = [clip[:count] for clip, count in zip(FRAMES, NUM_FRAMES, strict=True)]
TRANSFORMER = {"transformer_layers": 1, "transformer_heads": 2, "transformer_units": 6}


def relu(x):
    return np.maximum(x, 0)


def convolve(layer, clip):
    """Convolves a clip [T, D] over time by a kernel [K, D, H]; where K is even it sees one frame more ahead."""
    (kernel,) = weights(layer)
    size = len(kernel)
    padded = np.pad(clip, (((size - 1) // 2, size // 2), (0, 0)))
    return np.stack([np.einsum("kd,kdh->h", padded[t : t + size], kernel) for t in range(len(clip))])


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 7])
@pytest.mark.parametrize("blocks", [1, 2])
def test_conv(blocks, kernel_size):
    model = make(ConvModel, conv_units=6, conv_blocks=blocks, conv_kernel_size=kernel_size)
    expected = []
    for clip in CLIPS:
        hidden = convolve(model.stem, clip)
        for block in model.blocks:
            seen = hidden
            for part in block:
                seen = convolve(part.convolution, relu(batch_norm(part.norm, seen)))
            hidden = hidden + seen
        hidden = relu(batch_norm(model.last_norm, hidden))
        expected.append(np.concatenate([hidden.mean(axis=0), hidden.max(axis=0)]))
    assert len(model.blocks) == blocks
    np.testing.assert_allclose(summaries(model), expected, rtol=1e-4, atol=1e-5)


def layer_norm(layer, frames):
    gamma, beta = weights(layer)
    centred = frames - frames.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + layer.epsilon) * gamma + beta


def encode(layer, frames):
    """An encoder layer on the frames [T, H] of a clip without padding."""
    (projections,), (attended, bias) = weights(layer.projections), weights(layer.attended)
    projected = np.split(layer_norm(layer.attention_norm, frames) @ projections, 3, axis=-1)
    heads = []
    for query, key, value in zip(*(np.split(each, layer.heads, axis=-1) for each in projected), strict=True):
        scores = np.exp(query @ key.T / np.sqrt(query.shape[-1]))  # [T, T]
        heads.append(scores / scores.sum(axis=-1, keepdims=True) @ value)
    frames = frames + np.concatenate(heads, axis=-1) @ attended + bias
    (wide, wide_bias), (narrow, narrow_bias) = weights(layer.wide), weights(layer.narrow)
    return frames + relu(layer_norm(layer.dense_norm, frames) @ wide + wide_bias) @ narrow + narrow_bias


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("layers", [1, 2])
def test_transformer(layers, heads):
    model = make(TransformerModel, **{**TRANSFORMER, "transformer_layers": layers, "transformer_heads": heads})
    kernel, bias = weights(model.embed)
    expected = []
    for clip in CLIPS:
        angles = np.arange(len(clip))[:, None] / 10_000 ** (np.arange(3) / 3)
        hidden = clip @ kernel + bias + np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
        for layer in model.encoder:
            hidden = encode(layer, hidden)
        expected.append(layer_norm(model.norm, hidden).mean(axis=0))
    assert len(model.encoder) == layers
    np.testing.assert_allclose(summaries(model), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (1, [[0.0], [0.841471]]),
        (3, [[0.0, 0.0, 1.0], [0.841471, 0.0099998, 0.540302]]),
        (4, [[0.0, 0.0, 1.0, 1.0], [0.841471, 0.0099998, 0.540302, 0.99995]]),
    ],
)
def test_sinusoids(units, expected):
    np.testing.assert_allclose(sinusoids(2, units), expected, atol=1e-6)


@pytest.mark.parametrize(("cls", "small"), [(ConvModel, {"conv_units": 6}), (TransformerModel, TRANSFORMER)])
def test_long_clips(cls, small):
    model = make(cls, **small)
    frames = np.random.default_rng(0).integers(0, 256, (2, 300, 5), dtype=np.uint8)
    long, short = model(inputs(frames, [300, 20])), model(inputs(frames[:, :20], [20, 20]))
    assert np.isfinite(long).all()
    np.testing.assert_allclose(long[1], short[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dropout", "same"), [(0.0, True), (0.5, False)])
def test_transformer_drops_in_training_alone(dropout, same):
    model = make(TransformerModel, dropout=dropout, **TRANSFORMER)
    first, second = (model(inputs(), training=True) for _ in range(2))
    assert np.allclose(first, second) is same
    np.testing.assert_array_equal(model(inputs()), model(inputs()))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"transformer_heads": 5}, "--transformer_units=6 must be a multiple of --transformer_heads=5"),
        ({"dropout": 1.0}, r"--dropout=1 must be in \[0, 1\)"),
        ({"dropout": -0.1}, r"--dropout=-0.1 must be in \[0, 1\)"),
    ],
)
def test_wrong_hyper_parameters(wrong, message):
    with pytest.raises(UserError, match=message):
        TransformerModel(num_classes=3, feature_sizes=(5,), **{**TRANSFORMER, **wrong})
