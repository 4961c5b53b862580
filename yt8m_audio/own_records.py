"""Records of one's own data: a CSV with a row a clip and one array a clip become shards, with their label map.

    written = write_records("clips.csv", "features.npz", "records", make_label_map=True)
    print(*written.lines(), sep="\n")          # the last one is the train command to type next

clips.csv      video_id,labels            columns for start and end, in seconds, may be there too
               clip-1,rain;wind           labels: names, mids or class indices, with ';' between several
               clip-2,"Whoosh, swoosh"    a name with a comma, and so the cell, stands in quotes
               clip-3,                    no labels
features.npz   clip-1, clip-2, ...        or a folder of clip-1.npy, ...: floats or uint8, [frames, features]

AudioSet's own segments CSV is taken as it is. What is written is read as AudioSet's frame records are.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.clip_arrays import ClipArrays, opened_arrays
from yt8m_audio.clip_rows import ClipRow, read_clips
from yt8m_audio.errors import UserError
from yt8m_audio.examples import frames_record
from yt8m_audio.own_classes import LABEL_MAP, Classes
from yt8m_audio.records import write_shard
from yt8m_audio.written_records import FrameCounts, WrittenRecords, counted

SHARD_CLIPS, MOST_SHARDS = 2_000, 16
MANY_EXTREMES = 0.1  # share of quantised values at either end that is spoken of


def write_records(
    clips: str,
    arrays: str,
    output: str,
    *,
    label_map: str = "",
    make_label_map: bool = False,
    shards: int | None = None,
    quantize: Callable[[np.ndarray], np.ndarray] | None = None,
    feature_name: str = "audio_embedding",
    progress: Callable[[int], None] = lambda done: None,
) -> WrittenRecords:
    """Writes the clips of a CSV as AudioSet-like records, with the label map beside them: whole or not at all.

    Args:
        clips: the CSV.
        arrays: .npz file, or folder of ID.npy files.
        output: folder for the shards; there must be none, or an empty one.
        label_map: CSV of the classes; AudioSet's own when empty.
        make_label_map: make the label map of the labels found, sorted.
        shards: how many; one for about 2,000 clips when None, and 16 at most.
        quantize: makes bytes of float frames; they stay float32 when None.
        feature_name: name of the feature list.
        progress: called before each clip with how many are done.

    Raises:
        UserError: about what does not fit; it names the line, id or key, and nothing is left behind.
    """
    check_feature_name(feature_name)
    if make_label_map and label_map:
        raise UserError("--make_label_map makes a label map, --label_map names one: give one of them.")
    rows = read_clips(clips)
    num_shards = fitting_shards(shards, len(rows))
    classes = Classes.found(rows) if make_label_map else Classes.read(label_map)
    labels = [classes.indices(row) for row in rows]
    with opened_arrays(arrays) as source, whole_folder(output) as folder:
        check_keys(rows, source)
        classes.save(folder / LABEL_MAP)
        features = Features(source, quantize)

        def record(number):
            progress(features.counts.clips)
            return to_record(rows[number], labels[number], features.of(rows[number]), feature_name)

        for shard in range(num_shards):
            numbers = range(shard, len(rows), num_shards)  # dealt out in turn: a CSV may be sorted by class
            write_shard(str(folder / f"{shard:05d}-of-{num_shards:05d}.tfrecord"), map(record, numbers))
    warnings = [*classes.warnings(rows), *features.warnings(len(rows))]
    labelled = sum(map(bool, labels))
    return WrittenRecords(output, feature_name, labelled, num_shards, len(classes.names), features.counts, warnings)


def check_feature_name(name: str) -> None:
    """Raises a UserError about a name that --feature_names could not be given."""
    if not name or "," in name or name != name.strip():
        raise UserError(f"--feature_name={name} is no name of a feature: give one word, such as audio_embedding.")


def fitting_shards(asked: int | None, num_clips: int) -> int:
    """How many shards to write.

    Raises:
        UserError: if not as many can be filled as are asked for.
    """
    if asked is None:
        return min(-(-num_clips // SHARD_CLIPS), MOST_SHARDS)
    if not 1 <= asked <= num_clips:
        raise UserError(f"--shards={asked} must be at least 1 and at most the number of clips, {num_clips}.")
    return asked


def to_record(row: ClipRow, labels: Sequence[int], frames: np.ndarray, feature_name: str) -> bytes:
    """Serialises a clip; a frame is taken to last a second where the row does not say when the clip ends."""
    end = row.start + len(frames) if row.end is None else row.end
    context = {"video_id": row.video_id, "start_time_seconds": row.start, "end_time_seconds": end}
    return frames_record(context, labels, {feature_name: frames})


# The arrays


def check_keys(rows: Sequence[ClipRow], source: ClipArrays) -> None:
    """Raises a UserError unless every clip has an array."""
    missing = [row for row in rows if row.video_id not in source.keys]
    if missing:
        some = f"the arrays there are named such as '{min(source.keys)}'" if source.keys else "it holds no arrays"
        raise UserError(
            f"{missing[0].place}: {source.path} has no array for {missing[0].video_id}; {len(missing):,} of "
            f"{len(rows):,} clips have none, and {some}."
        )


class Features:
    """Reads the frames of clips, sees to it that they are alike, and keeps count.

    Args:
        source: where the arrays are.
        quantize: makes bytes of float frames, or None.
    """

    def __init__(self, source: ClipArrays, quantize: Callable[[np.ndarray], np.ndarray] | None = None):
        self.source, self.quantize = source, quantize
        self.counts, self.first_key = FrameCounts(), ""
        self.quantized, self.extremes = 0, 0  # values

    def of(self, row: ClipRow) -> np.ndarray:
        """Reads a clip's frames, uint8 or float32 [frames, features].

        Raises:
            UserError: if its array is not such that it can be written; it names the id.
        """
        frames = self.source.frames(row.video_id)
        if self.quantize and frames.dtype != np.uint8:
            frames = self.quantize(frames)
            self.quantized += frames.size
            self.extremes += int(np.count_nonzero((frames == 0) | (frames == 255)))
        self._check_alike(row.video_id, frames)
        self.counts.add(frames)
        return frames

    def _check_alike(self, key: str, frames: np.ndarray) -> None:
        """Raises a UserError if frames are not such as the first clip's."""
        size, dtype, before = frames.shape[1], str(frames.dtype), self.counts
        if not before.clips:
            self.first_key = key
            return
        if size != before.size:
            raise UserError(
                f"{self.source.path}, array {key} has {size} features a frame, but {self.first_key} has {before.size}: "
                "all clips need the same."
            )
        if dtype != before.dtype:
            raise UserError(
                f"{self.source.path}, array {key} is {dtype}, but {self.first_key} is {before.dtype}: all clips need "
                "the same type, or --quantize to make bytes of the floats."
            )

    def warnings(self, num_clips: int) -> Iterator[str]:
        """Says what may not be as it was meant, a line each."""
        unused = len(self.source.keys) - num_clips
        if unused:
            yield f"left out of {self.source.path}, for want of a row in the CSV: {counted(unused, 'array', 'arrays')}."
        share = self.extremes / max(1, self.quantized)
        if share > MANY_EXTREMES:
            yield (
                f"--quantize: {share:.0%} of the values were at or beyond the ends of [-2, 2], and were clipped: scale "
                "the features, or leave --quantize out."
            )


# What is written


@contextlib.contextmanager
def whole_folder(path: str) -> Iterator[Path]:
    """Gives a folder to fill, and renames it to `path` if all went well: whole or not at all.

    Raises:
        UserError: if there is something at `path` other than an empty folder, or it cannot be written.
    """
    if "://" in path:
        raise UserError(f"{path}: records are written to a folder of this machine; copy them from there.")
    folder = Path(path).resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{path} is there already and is not an empty folder: give another one, or remove it.")
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        yield partial
        os.rename(partial, folder)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
