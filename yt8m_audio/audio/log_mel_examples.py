"""Examples: the 0.96 s of log-mel bands that VGGish, and YAMNet too, take at a time.

examples = examples_of(log_mel(waveform))  # VGGish's: [N, 96, 64], one behind the other

waveform = padded_to_examples(waveform)    # YAMNet's: every 0.48 s, silence behind the end
examples = examples_of(log_mel(waveform, YAMNET_LOG_OFFSET), YAMNET_HOP_FRAMES)
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from yt8m_audio.audio.mel_bands import HOP_SAMPLES, MEL_BANDS, WINDOW_SAMPLES

EXAMPLE_FRAMES = 96  # 0.96 s
EXAMPLE_SAMPLES = (EXAMPLE_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES  # 15,600
YAMNET_HOP_FRAMES = 48


def examples_of(bands: np.ndarray, hop_frames: int = EXAMPLE_FRAMES) -> np.ndarray:
    """Cuts bands into examples; what is left over at the end is dropped.

    Args:
        bands: [..., frames, 64], 100 frames a second.
        hop_frames: from the start of one example to that of the next.

    Returns:
        A read-only view [..., N, 96, 64] with N = 1 + (frames - 96) // hop_frames, none below 96 frames.
    """
    if bands.shape[-2] < EXAMPLE_FRAMES:
        return np.empty((*bands.shape[:-2], 0, EXAMPLE_FRAMES, MEL_BANDS), bands.dtype)
    windows = sliding_window_view(bands, EXAMPLE_FRAMES, axis=-2)[..., ::hop_frames, :, :]  # [..., N, 64, 96]
    return windows.swapaxes(-1, -2)


def padded_to_examples(waveform: np.ndarray, hop_frames: int = YAMNET_HOP_FRAMES) -> np.ndarray:
    """Adds silence behind a waveform [samples], as YAMNet does, so that examples cover all of it, and there is one."""
    behind_first = max(0, len(waveform) - EXAMPLE_SAMPLES)
    hop_samples = hop_frames * HOP_SAMPLES
    wanted = EXAMPLE_SAMPLES + -(-behind_first // hop_samples) * hop_samples
    return np.pad(waveform, (0, wanted - len(waveform)))
