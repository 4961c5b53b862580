"""From sound to features: log-mel bands, embeddings, and the bytes that records hold.

from yt8m_audio.audio import log_mel, examples_of, Pca, load_pca, fit_pca     # NumPy alone
from yt8m_audio.audio import LogMel, Vggish, VggishSource, load_vggish        # Keras, imported when asked for
"""

from yt8m_audio.audio.log_mel_examples import examples_of
from yt8m_audio.audio.mel_bands import log_mel
from yt8m_audio.audio.pca import Pca, fit_pca, load_pca

__all__ = ["LogMel", "Pca", "Vggish", "VggishSource", "examples_of", "fit_pca", "load_pca", "load_vggish", "log_mel"]


def __getattr__(name: str):
    """Imports what needs Keras only where it is asked for: that takes seconds."""
    if name == "LogMel":
        from yt8m_audio.audio.log_mel_layer import LogMel

        return LogMel
    if name == "Vggish":
        from yt8m_audio.audio.vggish import Vggish

        return Vggish
    if name == "VggishSource":
        from yt8m_audio.audio.vggish_source import VggishSource

        return VggishSource
    if name == "load_vggish":
        from yt8m_audio.audio.vggish_weights import load_vggish

        return load_vggish
    raise AttributeError(f"module {__name__} has no attribute {name}")
