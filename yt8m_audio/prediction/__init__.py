"""Batch inference: top-k labels of clips, as files."""
