"""The training loop and its parts."""

from yt8m_audio.training import losses  # noqa: F401  registers the losses
