"""Features as bytes, the way AudioSet's and YouTube-8M's records hold them.

The quantiser truncates, and the dequantiser gives back nearly the middle of what was truncated, as in the starter
code: a byte that went through both is the same byte, and a feature in [-2, 2] comes back within 0.008.
"""

import numpy as np

LARGEST = 2.0  # features are clipped to [-2, 2]
STEPS = 255
STEP = 2 * LARGEST / STEPS
HALF_STEP = 2 * LARGEST / 512  # 512, not 510: the starter code's own constant


def quantize(features: np.ndarray) -> np.ndarray:
    """Clips features to [-2, 2] and truncates them to bytes, `(y + 2) * 255 / 4`.

    Args:
        features: floats [...].

    Returns:
        uint8 [...]: 0 at -2 and below, 255 at 2 and above.

    Raises:
        ValueError: if a feature is not a number, for which there is no byte.
    """
    features = np.asarray(features)
    if np.isnan(features).any():
        raise ValueError(f"Features must be numbers. Received: {int(np.isnan(features).sum())} NaN of {features.size}.")
    return ((np.clip(features, -LARGEST, LARGEST) + LARGEST) * (STEPS / (2 * LARGEST))).astype(np.uint8)


def dequantize(quantized: np.ndarray) -> np.ndarray:
    """Turns bytes back into features, `x * 4 / 255 + 4 / 512 - 2`.

    Args:
        quantized: uint8 [...].

    Returns:
        float32 [...] in [-1.9921875, 2.0078125].

    Raises:
        ValueError: if the bytes are not unsigned: signed ones would give other features without a word.
    """
    quantized = np.asarray(quantized)
    if quantized.dtype != np.uint8:
        raise ValueError(f"Quantised features are unsigned bytes. Received: dtype={quantized.dtype}.")
    return quantized.astype(np.float32) * np.float32(STEP) + np.float32(HALF_STEP - LARGEST)
