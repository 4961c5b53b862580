"""python -m yt8m_audio repack GLOB OUT: writes a data set into few large shards, another family, or one array."""

import dataclasses
import time

from readers.repacking import FAMILIES, repack_arrays, repack_records
from readers.survey import quoted
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine

ABOUT = "Writes a data set into few large shards, into another record family, or into one memory-mapped array."
FORMATS = ("tfrecord", "packed")


@dataclasses.dataclass(frozen=True)
class RepackFlags:
    """What is written anew, and as what.

    Attributes:
        pattern: Glob of the records, in quotes, or several with commas between.
        out: Folder to make. It appears whole and verified, or not at all.
        format: tfrecord (shards), or packed (one memory-mapped array of bytes with ids, frames and labels beside it,
            which train.py takes as a pattern).
        to: Family of the shards: same (each record's bytes as they are), youtube8m (keys id, rgb, audio), audioset
            (keys video_id, audio_embedding) or video (means over the frames, keys id, mean_rgb, mean_audio).
        shards: Number of shards.
        shuffle: Shuffle all clips globally.
        seed: Seed of the shuffle.
        skip_corrupt_records: Skip and count corrupt records, rather than stop.
        max_frames: Frames kept of a clip in a packed folder. When not given, 10 if none of the first records has more,
            else 300. Shards keep all.
        segment_labels: Pack YouTube-8M's rated segments, each of them a clip.
        num_classes: Number of classes of a packed folder. That of the record family when not given.
    """

    pattern: str = dataclasses.field(metadata=POSITIONAL)
    out: str = dataclasses.field(metadata=POSITIONAL)
    format: str = "tfrecord"
    to: str = "same"
    shards: int = 16
    shuffle: bool = False
    seed: int = 0
    skip_corrupt_records: bool = False
    max_frames: int | None = None
    segment_labels: bool = False
    num_classes: int | None = None


def main(argv) -> int:
    """Writes the folder, and says what is in it and what to type next."""
    asked, line, start = parse(argv, ABOUT, RepackFlags), ProgressLine(), time.monotonic()
    _check(asked)
    if asked.format == "packed":
        data = DataConfig(
            skip_corrupt_records=asked.skip_corrupt_records,
            max_frames=asked.max_frames,
            segment_labels=asked.segment_labels,
            num_classes=asked.num_classes,
        )
        written, what = repack_arrays(asked.pattern, asked.out, data, line.show), "one packed array"
    else:
        seed = asked.seed if asked.shuffle else None
        written = repack_records(
            asked.pattern, asked.out, asked.to, asked.shards, seed, asked.skip_corrupt_records, line.show
        )
        what = f"{written.files:,} shards"
    if line.live:
        line.say("")
    for note in written.notes:
        print(f"note: {note}")
    seconds = time.monotonic() - start
    size = f"{written.bytes / 1e6:,.1f} MB"
    print(f"Wrote {written.clips:,} clips to {asked.out} in {seconds:.1f} s: {what}, {size}, read back and verified.")
    print(f"Next: python -m yt8m_audio inspect {quoted(written.pattern)}")
    return 0


def _check(asked: RepackFlags) -> None:
    """Raises a UserError about flags that are wrong, or do not go together."""
    if asked.format not in FORMATS:
        raise UserError(f"--format={asked.format} is none of {', '.join(FORMATS)}.{nearest(asked.format, FORMATS)}")
    if asked.to not in ("same", *FAMILIES):
        raise UserError(f"--to={asked.to} is none of same, {', '.join(FAMILIES)}.{nearest(asked.to, FAMILIES)}")
    if asked.shards < 1:
        raise UserError(f"--shards={asked.shards} must be at least 1.")
    if asked.format == "packed":
        unfit = [f"--to={asked.to}"] * (asked.to != "same") + ["--shuffle"] * asked.shuffle
        if unfit:
            raise UserError(f"{unfit[0]} is for shards: a packed folder holds clips as they are read, and in order.")
        return
    for name in ("max_frames", "num_classes", "segment_labels"):
        if getattr(asked, name):
            raise UserError(f"--{name} is for --format=packed: shards keep all frames, labels and segments.")
