"""Which models are compiled on a CPU, and that they say the same then."""

import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
from yt8m_audio.prediction.fusing import FusedWhereLight, is_light
from yt8m_audio.registry import MODELS

SMALL = {"LstmModel": {"lstm_cells": 4}, "DecisionLevelAttentionModel": {"hidden_units": 4}}


@pytest.fixture
def inputs():
    features = np.random.default_rng(0).integers(0, 256, (4, 3, 16), np.uint8)
    return {"features": tf.constant(features), "num_frames": tf.constant([3, 1, 0, 2], tf.int32)}


def function_of(name, inputs):
    model = MODELS.get(name)(num_classes=5, feature_sizes=(16,), **SMALL.get(name, {}))
    model(inputs)
    return lambda given: model(given, training=False)


@pytest.mark.parametrize(
    ("name", "light"),
    [("FrameLevelLogisticModel", True), ("LstmModel", False), ("DecisionLevelAttentionModel", False)],
)
def test_models_of_few_products_are_light(name, light, inputs):
    assert is_light(tf.function(function_of(name, inputs)).get_concrete_function(inputs).graph) == light


def test_what_is_compiled_says_the_same(inputs):
    function = function_of("FrameLevelLogisticModel", inputs)
    compute = FusedWhereLight(lambda several: function(several[0]))
    first, again = compute([[inputs], [inputs]])
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, function(inputs), atol=1e-6)


@pytest.mark.parametrize("name", ["FrameLevelLogisticModel", "LstmModel"])
def test_batches_in_one_call_say_what_each_says_alone(name, inputs):
    function = function_of(name, inputs)
    parts = [{key: value[low : low + 2] for key, value in inputs.items()} for low in (0, 2)]
    (whole,) = FusedWhereLight(lambda several: function(several[0]), batch_size=2)([[inputs]])
    alone = FusedWhereLight(lambda several: function(several[0]))([[part] for part in parts])
    np.testing.assert_array_equal(whole, np.concatenate(alone))
