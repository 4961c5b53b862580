"""The embedding that makes frames of sound for a model that tags it: the run's own.

source = open_tagging_source(asked, model)      # what the run's features came from
"""

import dataclasses
from pathlib import Path
from typing import Protocol

from yt8m_audio.audio.embedding_source import EmbeddingSource
from yt8m_audio.audio.sources import NAMES, VGGISH, open_source
from yt8m_audio.commands.tagging_models import TaggingModel
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
    noted = model.source
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
        settings = settings_noted(noted)
    given = {"hop_seconds": asked.hop_seconds}
    given |= {name: getattr(asked, flag) for name, flag in NOTED_SETTINGS.items()}
    return {**settings, **{name: value for name, value in given.items() if value not in (None, "")}}


def settings_noted(noted: FeatureSource) -> dict:
    """What open_source takes to make the features of a note again, but for files."""
    settings = {name: noted.settings[name] for name in (*NOTED_SETTINGS, "final_relu") if name in noted.settings}
    if noted.name == VGGISH:
        settings["postprocess"] = noted.settings.get("postprocessing") != "none"
        settings["mixed_precision"] = "precision" in noted.settings
    return {"hop_seconds": noted.hop_seconds, **settings}


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
