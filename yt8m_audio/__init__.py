"""A YouTube-8M-style training framework for AudioSet's feature records."""

__version__ = "0.1.0"
