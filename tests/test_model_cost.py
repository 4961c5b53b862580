"""What a model costs: against counts by hand, and against what each model's docstring says."""

import inspect
import re

import keras
import pytest
import tensorflow as tf
from keras import ops

import models  # noqa: F401  registers the models
from models import FrameLevelModel, LogisticModel, LstmModel, MoeModel
from yt8m_audio.commands.model_cost import Cost, cost, count_flops, docstring_line, written
from yt8m_audio.registry import MODELS


class DenseModel(FrameLevelModel):
    """Two dense layers on each frame."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(6)
        self.output_layer = keras.layers.Dense(self.num_classes)

    def classify(self, frames, mask, training):
        return ops.max(self.output_layer(self.hidden(frames)), axis=1)


class ConvolutionModel(FrameLevelModel):
    """A convolution over time, of every second place, and of each feature by itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv1D(self.num_classes, 3, strides=2, padding="same")
        self.by_feature = keras.layers.DepthwiseConv1D(3, padding="same")

    def classify(self, frames, mask, training):
        return ops.max(self.convolution(self.by_feature(frames)), axis=1)


class EinsumModel(FrameLevelModel):
    """An einsum of two heads, and one with ellipses of which one is broadcast."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.kernel = self.add_weight(shape=(2, sum(self.feature_sizes), self.num_classes))

    def classify(self, frames, mask, training):
        heads = tf.einsum("btd,hdc->bhtc", frames, self.kernel)  # [B, 2, T, C]
        return ops.max(tf.einsum("...tc,...tk->...ck", heads, frames[:, None]), axis=(1, 3))


class MappedModel(FrameLevelModel):
    """One matrix product a step of two loops of different lengths, and only the longer branch of a condition."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.output_layer = keras.layers.Dense(self.num_classes)
        self.output_layer.build((None, sum(self.feature_sizes)))

    def classify(self, frames, mask, training):
        rows = ops.map(self.output_layer, ops.transpose(frames, (1, 0, 2))[:4])  # four steps
        more = ops.while_loop(lambda step, _: step < 3, self.step, (0, frames[:, 0]), maximum_iterations=3)[1]
        product = ops.cond(ops.any(mask), lambda: self.output_layer(more), lambda: ops.zeros_like(rows[0]))
        return rows[0] + product

    @staticmethod
    def step(step, row):
        return step + 1, ops.matmul(row, ops.ones((row.shape[-1], row.shape[-1])))


@pytest.mark.parametrize(
    ("cls", "hyper_parameters", "parameters", "multiply_adds"),
    [
        (LogisticModel, {}, 5 * 3 + 3, 5 * 3),
        (MoeModel, {"moe_num_mixtures": 4}, 5 * 15 + 5 * 12 + 12, 5 * 15 + 5 * 12),
        (DenseModel, {}, 5 * 6 + 6 + 6 * 3 + 3, 7 * (5 * 6 + 6 * 3)),
        (ConvolutionModel, {}, 3 * 5 + 5 + 3 * 5 * 3 + 3, 7 * 3 * 5 + 4 * 3 * 5 * 3),
        (EinsumModel, {}, 2 * 5 * 3, 7 * 2 * 5 * 3 + 2 * 7 * 3 * 5),
        (MappedModel, {}, 5 * 3 + 3, 4 * 5 * 3 + 3 * 5 * 5 + 5 * 3),
        (
            LstmModel,
            {"lstm_cells": 8, "lstm_layers": 2, "video_level_classifier_model": "LogisticModel"},
            4 * 8 * (5 + 8 + 1) + 4 * 8 * (8 + 8 + 1) + 8 * 3 + 3,
            7 * 4 * 8 * (5 + 8) + 7 * 4 * 8 * (8 + 8) + 8 * 3,
        ),
    ],
)
def test_costs_are_those_counted_by_hand(cls, hyper_parameters, parameters, multiply_adds):
    found = cost(cls, 7, (3, 2), 3, {"input_normalization": "none", **hyper_parameters})
    assert found == Cost(parameters, 2 * multiply_adds)


def test_what_is_not_trained_is_no_parameter():
    assert cost(LogisticModel, 1, (5,), 3, {"input_normalization": "batch"}).parameters == 5 * 3 + 3 + 2 * 5


def test_weights_are_not_allocated():
    assert cost(LogisticModel, 1, (10**6,), 10**9, {"input_normalization": "none"}) == Cost(10**15 + 10**9, 2 * 10**15)


@pytest.mark.parametrize(("mode", "gates"), [("lstm", 4), ("gru", 3)])
def test_cudnns_recurrence_costs_what_the_loop_costs(mode, gates):
    weights = gates * 8 * (5 + 8 + 2)
    with tf.Graph().as_default():
        frames, state = tf.zeros((7, 1, 5)), tf.zeros((1, 1, 8))
        outputs, *_ = tf.raw_ops.CudnnRNNV3(
            input=frames,
            input_h=state,
            input_c=state,
            params=tf.zeros((weights,)),
            sequence_lengths=tf.fill((1,), 7),
            rnn_mode=mode,
        )
        assert count_flops([outputs], 7) == 2 * 7 * gates * 8 * (5 + 8)


def test_an_operation_without_a_static_shape_is_named():
    with tf.Graph().as_default():
        logits = tf.matmul(tf.compat.v1.placeholder(tf.float32, (None, 5)), tf.zeros((5, 3)))
        with pytest.raises(ValueError, match=r"MatMul \(MatMul\) has no static shape"):
            count_flops([logits], 7)


@pytest.mark.parametrize(
    ("parameters", "flops", "words"),
    [
        (0, 7, "0 parameters, 7 FLOP"),
        (527, 1_000, "530 parameters, 1.0 KFLOP"),
        (3_330_000, 66_400_000, "3.3 M parameters, 66 MFLOP"),
        (999_499, 4_149_000_000, "1.0 M parameters, 4.1 GFLOP"),
        (12_345, 678_000, "12 K parameters, 680 KFLOP"),
    ],
)
def test_a_cost_in_words(parameters, flops, words):
    assert written(Cost(parameters, flops)) == words


@pytest.mark.parametrize("name", MODELS.names())
def test_a_models_docstring_says_what_it_costs(name):
    cls = MODELS.get(name)
    assert docstring_line(cls) in " ".join(cls.__doc__.split())


@pytest.mark.parametrize("name", MODELS.names())
def test_a_models_docstring_names_its_paper(name):
    assert re.search(r"^Paper: \S", inspect.cleandoc(MODELS.get(name).__doc__), re.M)
