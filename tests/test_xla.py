"""Every model compiles with XLA, and gives what it gives without."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
from yt8m_audio.registry import MODELS

SMALL = {
    "LstmModel": {"lstm_cells": 8},
    "DbofModel": {"iterations": 3, "dbof_cluster_size": 16, "dbof_hidden_size": 8},
}

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", MODELS.names())
def test_compiled_equals_plain(name):
    keras.utils.set_random_seed(1)
    model = MODELS.get(name)(num_classes=4, feature_sizes=(6,), **SMALL.get(name, {}))
    shape = (3, 5, 6) if model.level == "frame" else (3, 6)
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    inputs = {"features": tf.constant(features), "num_frames": tf.constant([5, 2, 0])}
    plain = model(inputs, training=False)
    compiled = tf.function(lambda each: model(each, training=False), jit_compile=True)(inputs)
    np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)
