"""Readers: one file a record family, found by what the first record holds.

To add one, copy `audioset_frames.py`, and name it here.
"""

from readers.audioset_frames import AudioSetFrameReader
from readers.clips import Clips, open_clips
from readers.mediapipe_features import MediaPipeFeatureReader
from readers.reader import Reader, resolve
from readers.vggish_frames import VggishFrameReader
from readers.youtube8m_frames import Youtube8mFrameReader
from readers.youtube8m_segments import Youtube8mSegmentReader
from readers.youtube8m_videos import Youtube8mVideoReader

__all__ = [
    "AudioSetFrameReader",
    "Clips",
    "MediaPipeFeatureReader",
    "Reader",
    "VggishFrameReader",
    "Youtube8mFrameReader",
    "Youtube8mSegmentReader",
    "Youtube8mVideoReader",
    "open_clips",
    "resolve",
]
