"""Weights and examples for VGGish that are the same wherever they are made: numpy's RandomState is frozen."""

import numpy as np

from yt8m_audio.audio.log_mel_examples import examples_of
from yt8m_audio.audio.mel_bands import log_mel

LAYERS = ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "fc1_1", "fc1_2", "fc2")


def seeded_weights(shapes) -> list[np.ndarray]:
    """Weights of given shapes (kernel, bias, kernel, ...), of a size at which each layer's outputs stay about 1."""
    found = []
    for number, shape in enumerate(shapes):
        scale = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[:-1]))
        found.append((np.random.RandomState(number).randn(*shape) * scale).astype(np.float32))
    return found


def noise_examples() -> np.ndarray:
    """Two examples of noise, float32 [2, 96, 64]."""
    return examples_of(log_mel(np.random.RandomState(0).randn(32_000) * 0.1)).astype(np.float32)
