"""Models: one file each, written in `keras` and `keras.ops` alone.

To add one, copy the file nearest to it, and name it here: its flags and its contract tests follow from the class.
"""

from models.base import FrameLevelModel, VideoLevelModel
from models.dbof import DbofModel
from models.frame_level_logistic import FrameLevelLogisticModel
from models.logistic import LogisticModel
from models.lstm import LstmModel
from models.moe import MoeModel

__all__ = [
    "DbofModel",
    "FrameLevelLogisticModel",
    "FrameLevelModel",
    "LogisticModel",
    "LstmModel",
    "MoeModel",
    "VideoLevelModel",
]
