"""The embedding that makes frames of sound for a model that tags it: the run's own.

source = open_tagging_source(asked, model)      # what the run's features came from
"""

import dataclasses
from pathlib import Path
from typing import Protocol

from yt8m_audio.audio.embedding_source import EmbeddingSource
from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.audio.sources import NAMES, VGGISH, open_source
from yt8m_audio.commands.feature_sources import source_of_run
from yt8m_audio.commands.tagging_models import TaggingModel
from yt8m_audio.config import Config
from yt8m_audio.errors import UserError
from yt8m_audio.feature_source import FeatureSource, check_same

RELEASED_HOP = 1.0  # seconds, of AudioSet's released features
NOTED_SETTINGS = {"window_seconds": "window_seconds", "output": "embedding_output"}  # of a note -> flags


class Asked(Protocol):
    """What a command line says of the embedding; what is empty is the run's own."""

    embedding: str
    hop_seconds: float | None
    weights: str
    window_seconds: float | None
    embedding_output: str
    pca: str


def open_tagging_source(asked: Asked, model: TaggingModel) -> EmbeddingSource:
    """Opens the embedding that is asked for, or else that of the run.

    Args:
        asked: the command line.
        model: that is to be fed.

    Raises:
        UserError: if it is not known, not there, another one than the run's, or of another size.
    """
    noted = noted_source(model.config)
    embedding = asked.embedding or default_embedding(noted)
    if noted and embedding in NAMES:  # before weights are looked for that may not be there
        check_same(noted, dataclasses.replace(noted, name=embedding), f"--embedding={embedding}")
    source = open_source(embedding, weights=asked.weights, pca=asked.pca, **settings_of(asked, embedding, noted))
    if noted:
        check_same(noted, source.described(), f"--embedding={embedding}")
    if source.dimension not in model.frame_sizes:
        sizes = " or ".join(f"{each:,}" for each in model.frame_sizes)
        raise UserError(
            f"--embedding={embedding} gives {source.dimension:,} values a frame, and {model.told} takes {sizes}: name "
            "the embedding that its records were made with."
        )
    return source


def settings_of(asked: Asked, embedding: str, noted: FeatureSource | None) -> dict:
    """Hop, window and output: those asked for, else those of the run where it has this embedding.

    Where the run does not say, VGGish has the hop of AudioSet's release.
    """
    is_the_run_s = noted is not None and noted.name in (embedding, Path(embedding).resolve().stem)
    settings = {"hop_seconds": RELEASED_HOP} if noted is None and embedding == VGGISH else {}
    if is_the_run_s:
        there = {name: noted.settings[name] for name in NOTED_SETTINGS if name in noted.settings}
        settings = {"hop_seconds": noted.hop_seconds, **there}
    given = {"hop_seconds": asked.hop_seconds}
    given |= {name: getattr(asked, flag) for name, flag in NOTED_SETTINGS.items()}
    return {**settings, **{name: value for name, value in given.items() if value not in (None, "")}}


def default_embedding(noted: FeatureSource | None) -> str:
    """The embedding where none is asked for: the run's, or VGGish as in AudioSet's release.

    Raises:
        UserError: if the run's is to be named by its path.
    """
    if noted is None:
        return VGGISH
    if noted.name not in NAMES:
        raise UserError(f"--embedding is missing: the run was trained on features of {noted.name}; give its path.")
    return noted.name


def noted_source(config: Config | None) -> FeatureSource | None:
    """Where the features of a run came from, as far as that is known."""
    noted = source_of_run(config.data) if config else None
    if noted is None and config is not None and not config.data.train_data_pattern:  # the sample, before it had a note
        return LogMelStatistics().described()
    return noted
