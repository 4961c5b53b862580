"""VGGish as a source of features: sound becomes embeddings, or the bytes that AudioSet's records hold.

    source = VggishSource()                     # weights of the cache folder; a frame each 0.96 s
    frames = source.embed(waveform)             # float32 [samples] at 16 kHz -> uint8 [T, 128]
    VggishSource(hop_seconds=1.0)               # a frame each second, as AudioSet's released features have

Measured on two cores: docs/vggish.md.
"""

import hashlib
import os
from pathlib import Path

import keras
import numpy as np

from yt8m_audio.audio.log_mel_examples import EXAMPLE_SAMPLES, examples_of
from yt8m_audio.audio.mel_bands import HOP_SAMPLES, SAMPLE_RATE, log_mel
from yt8m_audio.audio.pca import load_pca
from yt8m_audio.audio.vggish import EMBEDDING_SIZE
from yt8m_audio.audio.vggish_weights import GET_THEM, find_weights, load_vggish, weights_digest
from yt8m_audio.errors import UserError
from yt8m_audio.feature_source import FeatureSource

FRAMES_PER_SECOND = SAMPLE_RATE // HOP_SAMPLES
BATCH_SIZE = 32  # 64 are hardly quicker, and take 140 MiB more


class VggishSource:
    """Embeds sound with VGGish, by examples of 0.96 s; what is shorter at the end gives no row.

    Args:
        folder: folder or file of the weights: see vggish_weights.py. The default folder when empty.
        hop_seconds: from one example to the next, a multiple of 0.01.
        postprocess: whether embeddings become bytes, by PCA and quantisation; they stay float32 otherwise.
        final_relu: whether negative outputs become 0, as in Google's code before 2023 and most ports.
        mixed_precision: whether to compute with bfloat16, up to twice as fast where the processor has it. Bytes differ
            by a little, and count as another source's.
        pca: file of the PCA, in place of vggish_pca_params.npz beside the weights.

    Raises:
        UserError: if weights or PCA are missing or something else, or the hop is not such a multiple.
    """

    sample_rate = SAMPLE_RATE
    window_samples = EXAMPLE_SAMPLES

    def __init__(
        self,
        folder: str | os.PathLike = "",
        hop_seconds: float = 0.96,
        postprocess: bool = True,
        final_relu: bool = False,
        mixed_precision: bool = False,
        pca: str | os.PathLike = "",
    ):
        self.hop_frames = _hop_frames(hop_seconds)
        self.hop_samples = self.hop_frames * HOP_SAMPLES
        files = find_weights(folder)
        self.pca_file = _pca_file(Path(pca or files.pca)) if postprocess else None
        self.pca = load_pca(self.pca_file) if self.pca_file else None
        if self.pca and self.pca.dimension != EMBEDDING_SIZE:
            raise UserError(f"{self.pca_file} is a PCA of {self.pca.dimension} numbers, and VGGish gives 128.")
        self.dimension = self.pca.num_components if self.pca else EMBEDDING_SIZE
        dtype = "mixed_bfloat16" if mixed_precision else "float32"
        self.vggish = load_vggish(files.model, final_relu=final_relu, dtype=dtype)
        # On a CPU oneDNN's convolutions are quicker than XLA's, which take 1.2 times as long
        self.vggish.compile(jit_compile="auto" if keras.backend.backend() == "jax" else False)

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embeds a waveform.

        Args:
            waveform: floats [samples] in [-1, 1], 16 kHz.

        Returns:
            uint8 [T, 128], or float32 without postprocessing, with T = 1 + (samples - 15,600) // hop_samples.
        """
        examples = examples_of(log_mel(waveform), self.hop_frames)  # [T, 96, 64]
        batches = [examples[start : start + BATCH_SIZE] for start in range(0, len(examples), BATCH_SIZE)]
        rows = [self.vggish.predict_on_batch(np.ascontiguousarray(batch, np.float32)) for batch in batches]
        embeddings = np.concatenate([np.empty((0, EMBEDDING_SIZE), np.float32), *rows])  # [T, 128]
        return self.pca.quantized(embeddings) if self.pca else embeddings

    def described(self) -> FeatureSource:
        """What is noted beside records: see yt8m_audio.feature_source."""
        settings = {"postprocessing": "pca" if self.pca else "none", "final_relu": self.vggish.final_relu}
        if self.pca_file:
            settings["pca_digest"] = hashlib.sha256(self.pca_file.read_bytes()).hexdigest()
        if self.vggish.dtype_policy.name != "float32":
            settings["precision"] = self.vggish.compute_dtype
        hop_seconds = self.hop_frames / FRAMES_PER_SECOND
        digest = weights_digest(self.vggish)
        return FeatureSource("vggish", self.sample_rate, self.dimension, hop_seconds, digest, settings)


def _hop_frames(hop_seconds: float) -> int:
    """Log-mel frames from one example to the next."""
    frames = round(hop_seconds * FRAMES_PER_SECOND)
    if frames < 1 or abs(frames - hop_seconds * FRAMES_PER_SECOND) > 1e-6:
        raise UserError(f"--hop_seconds={hop_seconds:g} is no multiple of 0.01, as VGGish's hop is: 0.96 or 1, say.")
    return frames


def _pca_file(path: Path) -> Path:
    """The PCA's file, if it is there."""
    if not path.is_file():
        raise UserError(f"The PCA of VGGish's embeddings, {path}, is not there. {GET_THEM}.")
    return path
