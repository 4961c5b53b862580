"""From sound to features: log-mel bands, embeddings, and the bytes that records hold."""

from yt8m_audio.audio.mel_bands import log_mel

__all__ = ["log_mel"]
