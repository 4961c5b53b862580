"""python -m yt8m_audio write-records CLIPS ARRAYS OUTPUT: writes records of one's own data."""

import dataclasses
import sys

from yt8m_audio.audio.quantize import quantize
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.own_records import write_records
from yt8m_audio.progress_line import ProgressLine


@dataclasses.dataclass(frozen=True)
class WriteRecordsFlags:
    """What is written, of what.

    Attributes:
        clips: CSV with a row a clip and the columns video_id and labels; start and end, in seconds, if you like. Labels
            are names, mids or class indices with ';' between several: clip-1,rain;wind. A name with a comma in it
            stands in quotes: clip-2,"Whoosh, swoosh". AudioSet's segments CSV is taken as it is.
        arrays: .npz file with an array a clip under its id, or a folder of ID.npy files; floats, or uint8 that are
            quantised bytes already; [frames, features], or [features], which becomes one frame.
        output: Folder for the shards and their label map, new or empty.
        label_map: CSV of your classes with the columns index and display_name, and mid if you like. AudioSet's 527
            classes when empty.
        make_label_map: Make the label map of the labels found, sorted, and write it to OUTPUT/class_labels_indices.csv.
        shards: Shards to write. One for about 2,000 clips, 16 at most, when not given.
        quantize: Clip floats to [-2, 2] and store them as bytes, a quarter of the size. They are stored as float32
            otherwise.
        feature_name: Name of the feature in the records.
    """

    clips: str = dataclasses.field(metadata=POSITIONAL)
    arrays: str = dataclasses.field(metadata=POSITIONAL)
    output: str = dataclasses.field(metadata=POSITIONAL)
    label_map: str = ""
    make_label_map: bool = False
    shards: int | None = None
    quantize: bool = False
    feature_name: str = "audio_embedding"


def main(argv) -> int:
    """Writes the records, and prints how to train on them."""
    asked = parse(argv, "Writes records of your own data, to train on.", WriteRecordsFlags)
    settings = {**dataclasses.asdict(asked), "quantize": quantize if asked.quantize else None}
    line = ProgressLine()
    written = write_records(**settings, progress=lambda done: line.show(f"{done:,} clips"))
    for warning in written.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    line.say("\n".join(written.lines()))
    return 0
