"""Metrics of multi-label classification, as YouTube-8M and AudioSet define them."""

from yt8m_audio.evaluation.metrics import evaluate

__all__ = ["evaluate"]
