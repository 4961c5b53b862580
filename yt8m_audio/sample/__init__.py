"""The built-in data set: clips synthesised from a seed, written as AudioSet records."""

from yt8m_audio.sample.dataset import make_sample, sample_patterns

__all__ = ["make_sample", "sample_patterns"]
