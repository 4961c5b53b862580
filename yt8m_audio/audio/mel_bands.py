"""Log-mel bands as VGGish takes them (Hershey et al. 2017, arXiv:1609.09430, section 3.1), in numpy.

    bands = log_mel(waveform)  # [samples] at 16 kHz -> [frames, 64], 100 frames a second

A frame is 25 ms under a Hann window, taken every 10 ms without padding; its spectrum is the magnitude, not the
power, of a 512-point transform; 64 triangles, equally wide in mel, sum it to bands; `ln(band + 0.01)`. These are
the numbers of `mel_features.py` in github.com/tensorflow/models, research/audioset/vggish.

YAMNet takes the same bands with another offset, `log_mel(waveform, YAMNET_LOG_OFFSET)`; its examples overlap, and the
last one is filled with silence (see log_mel_examples.py). The same as a Keras layer: log_mel_layer.py.
"""

import functools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SAMPLE_RATE = 16_000  # Hz
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
SPECTRUM_BINS = FFT_SAMPLES // 2 + 1
MEL_BANDS = 64
MEL_LOWEST = 125.0  # Hz, where the first triangle begins
MEL_HIGHEST = 7_500.0  # Hz, where the last one ends
LOG_OFFSET = 0.01
YAMNET_LOG_OFFSET = 0.001
FRAMES_AT_ONCE = 32  # keeps what lies between below 128 KiB, where malloc takes fresh pages: three times as fast as 256


def log_mel(waveform: np.ndarray, log_offset: float = LOG_OFFSET) -> np.ndarray:
    """Computes the log-mel bands of one waveform or of a batch of them.

    Args:
        waveform: floats [..., samples] in [-1, 1], mono, 16 kHz.
        log_offset: what is added to a band before the logarithm; 0.001 for YAMNet.

    Returns:
        [..., frames, 64] in the waveform's precision, with frames = 1 + (samples - 400) // 160, none below 400 samples.
        Silence gives ln(0.01) = -4.605; a sine as loud as can be gives about 4.8 in its band. In float32 the worst
        error of 300 clips was 2e-4.

    Raises:
        ValueError: if the waveform holds integers, whose range is not [-1, 1].
    """
    waveform = np.asarray(waveform)
    if not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(f"A waveform is floats in [-1, 1]. Received: dtype={waveform.dtype}. Divide int16 by 32768.")
    frames = split_frames(waveform)  # [..., frames, 400]
    bands = np.empty((*frames.shape[:-1], MEL_BANDS), waveform.dtype)  # [..., frames, 64]
    rows = max(1, int(np.prod(frames.shape[:-2])))
    step = max(1, FRAMES_AT_ONCE // rows)
    for start in range(0, frames.shape[-2], step):
        part = np.s_[..., start : start + step, :]
        bands[part] = log_bands(frames[part], log_offset)
    return bands


def split_frames(waveform: np.ndarray) -> np.ndarray:
    """Returns a view [..., frames, 400] of a waveform [..., samples]; what is left over at the end is dropped."""
    if waveform.shape[-1] < WINDOW_SAMPLES:
        return np.empty((*waveform.shape[:-1], 0, WINDOW_SAMPLES), waveform.dtype)
    return sliding_window_view(waveform, WINDOW_SAMPLES, axis=-1)[..., ::HOP_SAMPLES, :]


def log_bands(frames: np.ndarray, log_offset: float = LOG_OFFSET) -> np.ndarray:
    """Turns frames [..., 400] into log-mel bands [..., 64] of the same precision."""
    spectrum = np.fft.rfft(frames * hann_window().astype(frames.dtype), FFT_SAMPLES)  # [..., 257]
    magnitude = np.abs(spectrum)
    bins, weights, starts = mel_entries()
    weighted = magnitude.astype(frames.dtype, copy=False)[..., bins] * weights.astype(frames.dtype)  # [..., 461]
    bands = np.add.reduceat(weighted, starts, axis=-1)  # [..., 64]
    return np.log(bands + frames.dtype.type(log_offset))


@functools.cache
def hann_window() -> np.ndarray:
    """Returns the periodic Hann window, float64 [400]: one period of a raised cosine, its last zero left out."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi / WINDOW_SAMPLES * np.arange(WINDOW_SAMPLES))
    window.setflags(write=False)
    return window


@functools.cache
def mel_matrix() -> np.ndarray:
    """Returns the weights of the 64 bands, float64 [257, 64], read-only.

    Each column is a triangle over the bins of the spectrum, straight on the mel scale (not in Hz), 1 at its peak
    and not divided by its area. The bin at 0 Hz counts nowhere.
    """
    bins = mel_scale(np.linspace(0.0, SAMPLE_RATE / 2, SPECTRUM_BINS))[:, np.newaxis]  # [257, 1]
    edges = np.linspace(mel_scale(MEL_LOWEST), mel_scale(MEL_HIGHEST), MEL_BANDS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]  # [64] each
    rising = (bins - lower) / (center - lower)  # [257, 64]
    falling = (upper - bins) / (upper - center)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    weights.setflags(write=False)
    return weights


@functools.cache
def mel_entries() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns what is not zero in the mel matrix, band after band: bins [461], weights [461], first entries [64].

    Only 3 % of the matrix is. A dense product is no faster, and starts BLAS threads that get in the way of a
    caller's own: with numpy 2.4, two threads were no quicker than one.
    """
    bands, bins = np.nonzero(mel_matrix().T)
    return bins, mel_matrix()[bins, bands], np.searchsorted(bands, np.arange(MEL_BANDS))


def mel_scale(hertz):
    """Converts frequencies in Hz to HTK's mel: 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0)
