"""One clip of the built-in sample: which sounds it holds, its waveform, its features.

    clip = make_clip(seed=8, split="train", index=0)   # the same clip whenever, wherever and in whatever order

A clip is a function of (seed, split, index) and nothing else.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.audio.mel_bands import SAMPLE_RATE
from yt8m_audio.sample.synthesis import SOUNDS
from yt8m_audio.sample.waves import colored_noise

SECONDS = 10
SHORT_CLIPS = 0.04  # share of clips that last 1 to 9 seconds, as AudioSet has at the ends of videos
SOUNDS_AT_ONCE = (0.55, 0.3, 0.15)  # share of clips with one, two and three classes
SHORTEST_SOUND = 0.4  # of the clip: a sound need not last all of it, labels are for the whole
SOUND_LEVELS = (-18.0, 0.0)  # dB below the largest sample that there can be
NOISE_LEVELS = (-65.0, -42.0)  # dB, of the root mean square of what is heard behind the sounds
NOISE_EXPONENTS = (1.6, 2.2)  # near brown noise, which is no class of AudioSet; white and pink noise are
NOISE_LOOP = 2 * SAMPLE_RATE  # samples; noise for all of a clip would take a third of the time that a clip takes
TENTH = SAMPLE_RATE // 10


class Clip(NamedTuple):
    """One clip: its 11-character id, the display names of its classes, and its bytes [seconds, 128]."""

    video_id: str
    classes: list[str]
    frames: np.ndarray


class Recording(NamedTuple):
    """What a clip is made of: its id, the display names of its classes, and float64 [samples] in [-1, 1] at 16 kHz."""

    video_id: str
    classes: list[str]
    waveform: np.ndarray


def make_clip(seed: int, split: str, index: int) -> Clip:
    """Makes clip number `index` of a split.

    Args:
        seed: any whole number from 0; another seed gives another data set.
        split: "train" or "test".
        index: any whole number from 0.
    """
    recording = make_recording(seed, split, index, list(SOUNDS))
    return Clip(recording.video_id, recording.classes, LogMelStatistics().embed(recording.waveform))


def make_recording(seed: int, split: str, index: int, among: Sequence[str]) -> Recording:
    """Makes the sound of a clip, of some of the classes `among`: see `make_clip`."""
    video_id, random = identify(seed, split, index)
    seconds = int(random.integers(1, SECONDS)) if random.random() < SHORT_CLIPS else SECONDS
    count = min(random.choice(len(SOUNDS_AT_ONCE), p=SOUNDS_AT_ONCE) + 1, len(among))
    classes = [str(name) for name in random.choice(among, count, replace=False)]
    return Recording(video_id, classes, mix(random, classes, seconds))


def identify(seed: int, split: str, index: int) -> tuple[str, np.random.Generator]:
    """Derives a clip's id, in YouTube's alphabet, and the generator of all that is random in it."""
    digest = hashlib.sha256(f"{seed}/{split}/{index}".encode()).digest()
    video_id = base64.urlsafe_b64encode(digest[:8]).decode().rstrip("=")  # 64 bits: 11 characters
    return video_id, np.random.default_rng(int.from_bytes(digest, "big"))


def mix(random: np.random.Generator, classes: list[str], seconds: int) -> np.ndarray:
    """Plays sounds at levels, and for spans, drawn for each over quiet noise.

    Returns:
        float64 [seconds * 16000] in [-1, 1].
    """
    num_samples = seconds * SAMPLE_RATE
    noise = colored_noise(random, NOISE_LOOP, random.uniform(*NOISE_EXPONENTS))  # joins on to itself without a click
    wave = np.resize(decibels(random.uniform(*NOISE_LEVELS)) * noise / noise.std(), num_samples)
    for name in classes:
        first, length = draw_span(random, num_samples)
        wave[first : first + length] += decibels(random.uniform(*SOUND_LEVELS)) * SOUNDS[name](random, length)
    return wave / max(1.0, np.abs(wave).max())


def draw_span(random: np.random.Generator, num_samples: int) -> tuple[int, int]:
    """Draws where a sound begins and how long it lasts, both in samples: one second at least, in tenths."""
    tenths = num_samples // TENTH  # round lengths, whose Fourier transforms are quick
    length = max(10, int(tenths * random.uniform(SHORTEST_SOUND, 1.0)))
    return int(random.integers(0, tenths - length + 1)) * TENTH, length * TENTH


def decibels(level: float) -> float:
    """Converts decibels to a factor of amplitude."""
    return 10.0 ** (level / 20)
