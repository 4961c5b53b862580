"""Opens an embedding of sound by name or path.

open_source("log_mel_statistics")              # at once, on any machine
open_source("vggish", hop_seconds=1.0)         # with the weights in the cache folder, or in `weights`
open_source("yamnet/")                         # a SavedModel's folder, or a .tflite file
open_source("features.npz")                    # arrays that were computed before; or a folder of ID.npy
"""

import os
from pathlib import Path

from yt8m_audio.audio.embedding_source import EmbeddingSource
from yt8m_audio.errors import UserError, nearest

LOG_MEL_STATISTICS, VGGISH = "log_mel_statistics", "vggish"
NAMES = (VGGISH, LOG_MEL_STATISTICS)
DEFAULTS = {"postprocess": True, "final_relu": False, "mixed_precision": False}  # others are empty
FLAGS = {"output": "embedding_output"}  # those of another name


def open_source(
    embedding: str,
    *,
    hop_seconds: float | None = None,
    weights: str = "",
    pca: str = "",
    postprocess: bool = True,
    final_relu: bool = False,
    mixed_precision: bool = False,
    window_seconds: float | None = None,
    output: str = "",
) -> EmbeddingSource:
    """Opens an embedding.

    Args:
        embedding: vggish, log_mel_statistics, the path of a SavedModel's folder or of a .tflite file, or that of
            arrays, an .npz file or a folder of ID.npy files.
        hop_seconds: from one frame to the next; the embedding's own when None.
        weights: folder with VGGish's weights; the cache folder's when empty.
        pca: .npz file of a PCA that makes bytes of floats: of a model, or of VGGish in place of its own.
        postprocess: whether VGGish's embeddings become bytes.
        final_relu: whether VGGish ends with a ReLU, as ports and old versions do.
        mixed_precision: whether VGGish computes in bfloat16.
        window_seconds: of sound a frame, of a model; its own where that is known.
        output: name of a model's output to take.

    Raises:
        UserError: if there is no such embedding, it cannot be loaded, or a setting does not fit it.
    """
    vggish = {"weights": weights, "postprocess": postprocess, "final_relu": final_relu}
    vggish |= {"mixed_precision": mixed_precision}
    of_models = {"window_seconds": window_seconds, "output": output}
    if embedding == LOG_MEL_STATISTICS:
        _check_unused(embedding, {**vggish, **of_models, "pca": pca})
        return _log_mel_statistics(hop_seconds)
    if embedding == VGGISH:
        _check_unused(embedding, of_models)
        return _vggish(hop_seconds, {**vggish, "pca": pca})
    if not os.path.exists(embedding):
        raise UserError(
            f"--embedding={embedding} is none of {', '.join(NAMES)}, and no file or folder.{nearest(embedding, NAMES)} "
            "Name one of them, a SavedModel's folder, a .tflite file, or arrays (.npz, or a folder of ID.npy)."
        )
    path = Path(embedding)
    if path.suffix == ".tflite" or (path / "saved_model.pb").is_file():
        from yt8m_audio.audio.model_sources import ModelSource

        _check_unused(embedding, vggish)
        return ModelSource(embedding, hop_seconds, window_seconds, output, pca)
    if path.suffix == ".npz" or any(path.glob("*.npy")):
        from yt8m_audio.audio.array_source import ArraySource

        _check_unused(embedding, {**vggish, **of_models, "pca": pca})
        return ArraySource(embedding, hop_seconds)
    raise UserError(
        f"--embedding={embedding} is no embedding: a SavedModel's folder has a saved_model.pb, a LiteRT file ends in "
        ".tflite, and arrays are an .npz file or a folder of ID.npy files."
    )


def _log_mel_statistics(hop_seconds: float | None) -> EmbeddingSource:
    from yt8m_audio.audio.log_mel_statistics import LogMelStatistics

    source = LogMelStatistics()
    own = source.hop_samples / source.sample_rate
    if hop_seconds not in (None, own):
        raise UserError(f"--hop_seconds={hop_seconds:g}: {LOG_MEL_STATISTICS} has a hop of {own:g} s, and no other.")
    return source


def _vggish(hop_seconds: float | None, settings: dict) -> EmbeddingSource:
    from yt8m_audio.audio.vggish_source import VggishSource

    hop = {} if hop_seconds is None else {"hop_seconds": hop_seconds}
    return VggishSource(settings.pop("weights"), **hop, **settings)


def _check_unused(embedding: str, settings: dict) -> None:
    """Raises a UserError about a setting that was given and that an embedding does not have."""
    for name, value in settings.items():
        if value != DEFAULTS.get(name, "") and value is not None:
            flag = FLAGS.get(name, name)
            raise UserError(f"--{flag}={value} is no setting of --embedding={embedding}: leave it out.")
