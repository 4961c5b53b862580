"""Clips as whole recordings, which are cut into windows: what --window, --hop and --segment_labels of inference.py ask.

windows = windows_of(asked)                     # None: clips are predicted as they are
clips = whole_recordings("long/*.tfrecord", clips.data, asked)
"""

import dataclasses

import readers
from readers import Clips
from yt8m_audio.commands.longest_clip import longest_clip
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.prediction.windows import Windows, check_frame_level, windows_asked

FLAG = "input_data_pattern"
SEGMENT_SECONDS = 5  # of the challenge of 2019


def windows_of(asked: InferenceFlags) -> Windows | None:
    """The windows that a command line asks for; None where it asks for none.

    Raises:
        UserError: if they are none that there can be, or flags contradict one another.
    """
    check_segment_flags(asked)
    if asked.segment_labels:
        return windows_asked(SEGMENT_SECONDS)
    if asked.hop and not asked.window:
        raise UserError(
            f"--hop={asked.hop:g} needs --window: how many seconds to look at, every {asked.hop:g} seconds."
        )
    return windows_asked(asked.window, asked.hop) if asked.window else None


def check_segment_flags(asked: InferenceFlags) -> None:
    """Raises a UserError where the flags of the challenge's segments are given without it, or with others."""
    if asked.segment_labels and (asked.window or asked.hop):
        raise UserError(
            f"--segment_labels ranks segments of {SEGMENT_SECONDS} seconds: leave --window and --hop away, or write "
            "windows of another size with --output=timeline."
        )
    if asked.segment_label_ids_file and not asked.segment_labels:
        raise UserError("--segment_label_ids_file says which classes --segment_labels ranks: give that too.")
    if asked.segment_label_ids_file and asked.labels:
        raise UserError("--labels and --segment_label_ids_file both say which classes to predict: give one of them.")


def flag_of(asked: InferenceFlags) -> str:
    """How the windows were asked for, for errors."""
    return "--segment_labels" if asked.segment_labels else f"--window={asked.window:g}"


def whole_recordings(pattern: str, data: DataConfig, asked: InferenceFlags) -> Clips:
    """Opens clips anew as whole recordings: not by rated segments, and with all frames of the longest.

    Args:
        pattern: glob of the records.
        data: the complete settings that a model reads them with.
        asked: what asks for windows.

    Raises:
        UserError: if the model takes no frames.
    """
    whole = dataclasses.replace(data, segment_labels=False, reader="" if data.segment_labels else data.reader)
    clips = readers.open_clips(pattern, FLAG, whole)
    check_frame_level(clips.in_order(1).element_spec["features"], flag_of(asked))
    return readers.open_clips(pattern, FLAG, dataclasses.replace(clips.data, max_frames=longest_clip(clips)))


def check_frames(frames: int | None, windows: Windows, name: str) -> None:
    """Raises a UserError where an exported model takes clips of so many frames alone, and windows are not such."""
    if frames not in (None, windows.size):
        raise UserError(
            f"{name} was exported for clips of {frames} frames: it takes --window={frames}, and not windows of "
            f"{windows.size} seconds."
        )
