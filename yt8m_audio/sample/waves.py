"""What sounds are put together from: tones, noise, and envelopes that switch them on and off.

Everything is float64 [samples] at 16 kHz. Times are seconds, frequencies Hz.
"""

from collections.abc import Iterable

import numpy as np

from yt8m_audio.audio.mel_bands import SAMPLE_RATE

RAMP = 0.005  # seconds to switch a tone on or off without a click


def times(num_samples: int) -> np.ndarray:
    """Returns the time of each sample, from 0."""
    return np.arange(num_samples) / SAMPLE_RATE


def cycles(frequency, num_samples: int) -> np.ndarray:
    """Counts the periods passed at each sample, of a frequency that is one number or one a sample."""
    if np.ndim(frequency) == 0:
        return times(num_samples) * frequency
    return np.cumsum(frequency) / SAMPLE_RATE


def tone(frequency, num_samples: int) -> np.ndarray:
    """Returns a sine in [-1, 1], of a frequency that is one number or one a sample."""
    return np.sin(2 * np.pi * cycles(frequency, num_samples))


def chord(frequencies: Iterable[float], num_samples: int) -> np.ndarray:
    """Returns the sum of equally loud sines."""
    return sum(tone(frequency, num_samples) for frequency in frequencies)


def sawtooth(frequency, num_samples: int) -> np.ndarray:
    """Returns a wave with all harmonics, falling as 1/k, in [-1, 1]."""
    return 2 * (cycles(frequency, num_samples) % 1) - 1


def hard(wave: np.ndarray, drive: float = 3.0) -> np.ndarray:
    """Rounds a sine off towards a square, which adds odd harmonics, as a cheap loudspeaker does."""
    return np.tanh(drive * wave)


def colored_noise(random: np.random.Generator, num_samples: int, exponent: float) -> np.ndarray:
    """Returns noise whose power falls as 1 / frequency ** exponent: 0 is white, 1 pink, 2 brown."""
    return shaped_noise(random, num_samples, lambda hertz: np.maximum(hertz, 20.0) ** (-exponent / 2))


def band_noise(random: np.random.Generator, num_samples: int, center: float, octaves: float = 1.0) -> np.ndarray:
    """Returns noise around a frequency, falling off on both sides as a bell curve over `octaves`."""
    return shaped_noise(
        random,
        num_samples,
        lambda hertz: np.exp(-((np.log2(np.maximum(hertz, 1.0) / center) / octaves) ** 2)),
    )


def shaped_noise(random: np.random.Generator, num_samples: int, gain) -> np.ndarray:
    """Returns noise whose spectrum follows a gain given as a function of frequencies in Hz, at no certain level."""
    frequencies = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE)
    spectrum = random.standard_normal(2 * len(frequencies)).view(np.complex128)  # white, to begin with
    return np.fft.irfft(spectrum * gain(frequencies), num_samples)


def gate(num_samples: int, on: float, period: float, start: float = 0.0) -> np.ndarray:
    """Returns an envelope in [0, 1] that is on for `on` of every `period` seconds, first at `start`."""
    since = (times(num_samples) - start) % period
    return np.clip(np.minimum(since, on - since) / RAMP, 0.0, 1.0)


def bursts(num_samples: int, on: float, count: int, pause: float, start: float = 0.0) -> np.ndarray:
    """Returns an envelope in [0, 1] that is on `count` times for `on` seconds, as long off between, then pauses."""
    since = (times(num_samples) - start) % (2 * on * count + pause)
    since_on = np.where(since < 2 * on * count, since % (2 * on), on)
    return np.clip(np.minimum(since_on, on - since_on) / RAMP, 0.0, 1.0)


def decay(num_samples: int, half_life: float) -> np.ndarray:
    """Returns an envelope that starts at 1 and halves every `half_life` seconds."""
    return 0.5 ** (times(num_samples) / half_life)


def place(num_samples: int, onsets: Iterable[float], events: Iterable[np.ndarray]) -> np.ndarray:
    """Adds each event at its onset in seconds; an event that reaches over the end is cut there."""
    wave = np.zeros(num_samples)
    for onset, event in zip(onsets, events, strict=False):
        first = int(onset * SAMPLE_RATE)
        wave[first : first + len(event)] += event[: max(0, num_samples - first)]
    return wave


def loudest(wave: np.ndarray) -> np.ndarray:
    """Scales a wave so that its largest sample is 1 or -1."""
    return wave / np.abs(wave).max()
