"""Readers: one file a record family, found by what the first record holds.

To add one, copy `audioset_frames.py`, and name it here.
"""

from readers.audioset_frames import AudioSetFrameReader
from readers.clips import Clips, held_out, open_clips
from readers.reader import Reader, resolve

__all__ = ["AudioSetFrameReader", "Clips", "Reader", "held_out", "open_clips", "resolve"]
