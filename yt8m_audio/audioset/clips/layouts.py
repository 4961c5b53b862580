"""Where a clip's file lies below the output folder, as other tools for AudioSet expect it.

audiosetdl   data/LIST/audio/ID_STARTms_ENDms.flac    data/LIST/video/ID_STARTms_ENDms.mp4
panns        audios/LIST/YID.wav                      videos/LIST/YID.mp4
flat         ID_STARTms_ENDms.flac                    ID_STARTms_ENDms.mp4

PANNs' names hold one segment a video. Every part of a name is checked: a list, or a manifest from elsewhere, names no
file outside the folder.
"""

from pathlib import Path

from yt8m_audio.audioset.clips.segment import Segment, is_video_id, safe_name

LAYOUTS = ("audiosetdl", "panns", "flat")


def clip_file(out: Path, layout: str, segment: Segment, suffix: str, kind: str = "audio") -> Path:
    """Returns where a clip lies.

    Args:
        out: the output folder.
        layout: one of LAYOUTS.
        segment: which clip.
        suffix: of the file's name, such as flac.
        kind: "audio" or "video".

    Raises:
        ValueError: if the segment's id is none.
    """
    if not is_video_id(segment.video_id):
        raise ValueError(f"{segment.video_id!r} is no id of a YouTube video")
    times = f"{segment.video_id}_{segment.start_ms:d}_{segment.end_ms:d}.{suffix}"
    list_name = safe_name(segment.list_name)
    if layout == "audiosetdl":
        return out / "data" / list_name / kind / times
    if layout == "panns":
        return out / f"{kind}s" / list_name / f"Y{segment.video_id}.{suffix}"
    return out / times
