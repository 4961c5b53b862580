"""What the tests of models against NumPy share: clips, models with moved weights, and the formulas of common parts."""

import keras
import numpy as np
import tensorflow as tf

NUM_FRAMES = np.array([4, 1, 3], "int32")
BYTES = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
FRAMES = BYTES * (4 / 255) + (4 / 512 - 2)  # [3, 4, 5]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def inputs(features=BYTES, num_frames=NUM_FRAMES):
    return {"features": tf.constant(features), "num_frames": tf.constant(num_frames)}


def make(cls, **hyper_parameters):
    """A model of 3 classes and 5 features on raw inputs, with weights and averages moved from where they begin."""
    keras.utils.set_random_seed(0)
    given = {"num_classes": 3, "feature_sizes": (5,), "input_normalization": "none", **hyper_parameters}
    model = cls(**given)
    model(inputs() if model.level == "frame" else inputs(FRAMES[:, 0].astype("float32")))
    for number, weight in enumerate(model.weights):
        if "seed" not in weight.path:
            weight.assign_add(keras.random.uniform(weight.shape, 0.0, 0.5, seed=number))
    return model


def summaries(model, num_frames=NUM_FRAMES):
    """The vectors [B, H] that a model with a classifier on top makes of the clips."""
    mask = np.arange(4) < num_frames[:, None]  # [B, T]
    return np.array(model.summarize(tf.constant(FRAMES * mask[:, :, None], "float32"), tf.constant(mask), False))


def weights(layer):
    return [np.array(each, "float64") for each in layer.weights if "seed" not in each.path]


def moe(model, features):
    """The probabilities [B, C] of a MoeModel on features [B, D], gates included."""
    if model.feature_gating:
        features = features * context_gates(model.feature_gating, features)
    probabilities = mixture_of_experts(model.mixture, features)
    if model.probability_gating:
        probabilities = probabilities * context_gates(model.probability_gating, probabilities)
    return probabilities


def mixture_of_experts(layer, features):
    """The probabilities [B, C] of a mixture of experts for each class."""
    (gates,), (experts, bias) = weights(layer.gates), weights(layer.experts)
    batch = len(features)
    gates = np.exp((features @ gates).reshape(batch, -1, 3))  # [B, M + 1, C]
    experts = sigmoid(features @ experts + bias).reshape(batch, -1, 3)  # [B, M, C]
    return ((gates / gates.sum(1, keepdims=True))[:, :-1] * experts).sum(1)


def context_gates(layer, values):
    """The factors by which values [B, D] gate each other."""
    (kernel,) = weights(layer.gates)
    return sigmoid(batch_norm(layer.gates_norm, values @ kernel))


def batch_norm(layer, values):
    if getattr(layer, "center_only", False):
        return values - weights(layer)[0]
    gamma, beta, mean, variance, _ = weights(layer)[-5:]
    return (values - mean) / np.sqrt(variance + 1e-3) * gamma + beta
