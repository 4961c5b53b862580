"""What turns sound into the frames of a record: one small interface, and how it is fed with sound of any length.

source = LogMelStatistics()
frames = source.embed(waveform)                       # float32 or uint8 [T, D]
frames = np.concatenate([*embedded(source, blocks)])  # the same, from blocks of a file that is not held in memory
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from yt8m_audio.feature_source import FeatureSource

HOPS_AT_ONCE = 64  # about a minute of sound


class EmbeddingSource(Protocol):
    """An embedding of sound.

    Row t of what `embed` gives depends on the samples [t * hop_samples, t * hop_samples + window_samples) and on
    nothing else; what is left at the end, shorter than a window, gives a last row or none, as the embedding has it.

    Attributes:
        sample_rate: of the waveform, in Hz.
        dimension: D, features of a frame.
        hop_samples: from one frame to the next.
        window_samples: of one frame.
    """

    sample_rate: int
    dimension: int
    hop_samples: int
    window_samples: int

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embeds mono float32 [samples] in [-1, 1]; uint8 (quantised bytes) or float32 [T, D]."""

    def described(self) -> FeatureSource:
        """What is noted beside records and in the run."""


def embedded(source: EmbeddingSource, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Embeds sound that comes block by block; gives [t, D] at a time, all of them what `embed` gives of the whole.

    Args:
        source: the embedding.
        blocks: float32 [samples], of any lengths, one behind the other.
    """
    step = HOPS_AT_ONCE * source.hop_samples
    needed = step - source.hop_samples + source.window_samples  # for HOPS_AT_ONCE rows
    held, num_held = [], 0
    for block in blocks:
        held.append(block)
        num_held += len(block)
        if num_held <= max(needed, step):
            continue
        sound = np.concatenate(held)
        while len(sound) > max(needed, step):  # the last samples stay for the end, whose row may be a short one
            yield source.embed(sound[:needed])[:HOPS_AT_ONCE]
            sound = sound[step:]
        held, num_held = [sound], len(sound)
    yield source.embed(np.concatenate(held) if held else np.zeros(0, np.float32))
