"""What a worker of an extraction does, and what it is told when it starts: nothing here needs TensorFlow."""

import dataclasses
from typing import Any

from yt8m_audio.audio.embedding_source import EmbeddingSource
from yt8m_audio.audio.sound_frames import Extraction, Sound, SoundFrames, frames_of
from yt8m_audio.audio.sources import open_source


@dataclasses.dataclass(frozen=True)
class Opening:
    """What to open an embedding with, in each process anew (see yt8m_audio.audio.sources.open_source)."""

    embedding: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)

    def opened(self) -> EmbeddingSource:
        """Opens it."""
        return open_source(self.embedding, **self.settings)


class SoundWork:
    """What a worker does: `work(sound)` is what came of it.

    Args:
        opening: of the embedding; it is opened when the first sound comes.
        settings: how sounds become clips.
        source: the embedding, where it is open already and need not be pickled.
    """

    def __init__(self, opening: Opening, settings: Extraction, source: EmbeddingSource | None = None):
        self.opening, self.settings, self.source = opening, settings, source

    def __call__(self, sound: Sound) -> SoundFrames:
        self.source = self.source or self.opening.opened()
        return frames_of(sound, self.source, self.settings)
