"""Models of recurrent layers against the equations of their cells, in NumPy."""

import keras
import numpy as np
import pytest

from models import AttentionGruModel, AttentionLstmModel, BiGruModel, BiLstmModel, GruModel, LstmModel
from tests.model_oracles import FRAMES, NUM_FRAMES, inputs, make, sigmoid, summaries, weights

MODELS = [
    (LstmModel, {"lstm_cells": 6}),
    (GruModel, {"gru_cells": 6}),
    (BiLstmModel, {"lstm_cells": 6}),
    (BiGruModel, {"gru_cells": 6}),
    (AttentionLstmModel, {"lstm_cells": 6, "attention_units": 4}),
    (AttentionGruModel, {"gru_cells": 6, "attention_units": 4}),
]
every_model = pytest.mark.parametrize(("cls", "small"), MODELS, ids=[cls.__name__ for cls, _ in MODELS])


def lstm_step(cell, x, state):
    """One step of Keras' cell: gates i, f, c, o beside each other."""
    (kernel, recurrent, bias), (h, c) = weights(cell), state
    i, f, new, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
    return sigmoid(o) * np.tanh(c), c


def gru_step(cell, x, state):
    """One step of Keras' cell: gates z, r, h beside each other, the state's part of h reset behind its product."""
    (kernel, recurrent, (bias, recurrent_bias)), (h,) = weights(cell), state
    (z, r, new), (z_h, r_h, new_h) = np.split(x @ kernel + bias, 3), np.split(h @ recurrent + recurrent_bias, 3)
    z, r = sigmoid(z + z_h), sigmoid(r + r_h)
    return (z * h + (1 - z) * np.tanh(new + r * new_h),)


def outputs(layer, clip):
    """What a layer gives at each frame [T, H] of a clip [T, D] without padding."""
    if isinstance(layer, keras.layers.Bidirectional):
        there, back = outputs(layer.forward_layer, clip), outputs(layer.backward_layer, clip[::-1])[::-1]
        return np.concatenate([there, back], axis=-1)
    step, states = (lstm_step, 2) if isinstance(layer, keras.layers.LSTM) else (gru_step, 1)
    state, found = (np.zeros(layer.units),) * states, []
    for frame in clip:
        state = step(layer.cell, frame, state)
        found.append(state[0])
    return np.stack(found)


def summary(model, clip):
    """The vector [H] that a model makes of a clip [T, D] without padding."""
    hidden = clip
    for layer in model.layers_of_cells:
        hidden = outputs(layer, hidden)
    if isinstance(model, (AttentionLstmModel, AttentionGruModel)):
        kernel, bias, scores = weights(model.attention)
        of_frames = np.exp(np.tanh(hidden @ kernel + bias) @ scores)  # [T, 1]
        return (of_frames / of_frames.sum() * hidden).sum(axis=0)
    if isinstance(model, (BiLstmModel, BiGruModel)):
        there, back = np.split(hidden, 2, axis=-1)
        return np.concatenate([there[-1], back[0]])
    return hidden[-1]


@every_model
@pytest.mark.parametrize("layers", [1, 2])
def test_equations(cls, small, layers):
    model = make(cls, **{next(iter(small)).replace("cells", "layers"): layers}, **small)
    assert len(model.layers_of_cells) == layers
    expected = np.stack([summary(model, clip[:count]) for clip, count in zip(FRAMES, NUM_FRAMES, strict=True)])
    np.testing.assert_allclose(summaries(model), expected, rtol=1e-4, atol=1e-5)


@every_model
def test_a_clip_without_frames_is_a_vector_of_zeros(cls, small):
    found = summaries(make(cls, **small), np.array([2, 0, 4]))
    assert (np.abs(found).max(axis=1) > 0).tolist() == [True, False, True]


def test_lstm_begins_with_a_forget_bias_of_one():
    model = LstmModel(num_classes=3, feature_sizes=(5,), lstm_cells=2)
    model(inputs())
    np.testing.assert_array_equal(model.layers_of_cells[0].cell.bias, [0, 0, 1, 1, 0, 0, 0, 0])
