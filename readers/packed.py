"""A packed folder: a data set as one array of bytes, memory-mapped, with ids, frames and labels beside it.

    write_packed("packed/", clips)         # `python -m yt8m_audio repack GLOB packed/ --format=packed`
    packed = read_packed("packed/")
    packed.arrays.features[7]              # uint8 [T, D], read from the disk when it is looked at

packed.json        what it holds: reader, features, classes, clips
features.npy       uint8 [clips, T, D]; float32 where the features are; [clips, D] at video level
video_id.npy, num_frames.npy, start_time.npy, end_time.npy, label_values.npy, label_counts.npy, label_scores.npy
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from readers.rows import Rows, join_rows
from readers.stores import Arrays
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError

VERSION = 1
ABOUT = "packed.json"
SETTINGS = (
    "reader",
    "feature_names",
    "feature_sizes",
    "feature_types",
    "num_classes",
    "max_frames",
    "segment_labels",
    "segment_size",
)


@dataclasses.dataclass(frozen=True)
class Packed:
    """An opened packed folder.

    Attributes:
        path: the folder.
        data: what it was packed with; `SETTINGS` alone are set.
        arrays: the clips, memory-mapped.
    """

    path: str
    data: DataConfig
    arrays: Arrays


def is_packed(path: str) -> bool:
    """Whether a path is a packed folder."""
    return os.path.isfile(os.path.join(path, ABOUT))


def read_packed(path: str) -> Packed:
    """Opens a packed folder.

    Raises:
        UserError: if it is damaged or of another version.
    """
    try:
        about = json.loads(Path(path, ABOUT).read_text())
        if about["version"] != VERSION:
            raise UserError(
                f"{path} was packed in version {about['version']} of the format; this is {VERSION}: repack it."
            )
        names = [field.name for field in dataclasses.fields(Arrays)]
        there = {name: Path(path, f"{name}.npy") for name in names}
        arrays = Arrays(**{name: np.load(file, mmap_mode="r") for name, file in there.items() if file.exists()})
        _check_lengths(path, arrays, about["clips"])
        return Packed(path, DataConfig(**{name: about["data"][name] for name in SETTINGS}), arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no whole packed folder ({error}): repack it.") from error


def _check_lengths(path: str, arrays: Arrays, clips: int) -> None:
    """Raises a UserError unless the arrays are of so many clips."""
    for name in ("video_id", "features", "num_frames", "start_time", "end_time", "label_counts"):
        if len(getattr(arrays, name)) != clips:
            raise UserError(f"{path}/{name}.npy holds {len(getattr(arrays, name))} clips, not {clips}: repack it.")
    if arrays.features.ndim == 3 and len(arrays.num_frames) and arrays.num_frames.max() > arrays.features.shape[1]:
        raise UserError(f"{path}/num_frames.npy holds more frames than features.npy: repack it.")
    if len(arrays.label_values) != int(arrays.label_counts.sum()):
        raise UserError(f"{path}/label_values.npy does not fit label_counts.npy: repack it.")


def write_packed(path: str, data: DataConfig, shape: Sequence[int], dtype, parts: Iterable[Rows]) -> int:
    """Writes clips as a packed folder, beside it first and then renamed: whole or not at all.

    Args:
        path: the folder; there must be none.
        data: complete settings of the clips.
        shape: of the features, [clips, T, D] or [clips, D], with at least as many clips as come.
        dtype: of the features.
        parts: the clips.

    Returns:
        How many clips were written.

    Raises:
        OSError: if it cannot be written, as on a full disk.
    """
    partial = Path(f"{path.rstrip('/')}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        features = np.lib.format.open_memmap(partial / "features.npy", "w+", dtype, tuple(shape))
        _reserve(partial / "features.npy")
        arrays = fill(features, parts)
        if len(arrays.features) < shape[0]:  # corrupt records were left out
            np.save(partial / "shorter.npy", arrays.features)
            os.replace(partial / "shorter.npy", partial / "features.npy")
        for field in dataclasses.fields(Arrays):
            if field.name != "features" and getattr(arrays, field.name) is not None:
                np.save(partial / f"{field.name}.npy", getattr(arrays, field.name))
        about = {name: getattr(data, name) for name in SETTINGS}
        clips = len(arrays.features)
        (partial / ABOUT).write_text(json.dumps({"version": VERSION, "clips": clips, "data": about}, indent=2) + "\n")
        os.rename(partial, path)
        return clips
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reserve(path: Path) -> None:
    """Takes the room that a file is to have, so that a full disk is an error now and not a crash of a mapped array."""
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)


def fill(features: np.ndarray, parts: Iterable[Rows]) -> Arrays:
    """Puts clips, some at a time, into one array of features [clips, ...]; rows that are not real are left out."""
    done, small = 0, []
    for rows in parts:
        rows = rows.only_real()
        features[done : done + len(rows)] = rows.features
        done += len(rows)
        small.append(dataclasses.replace(rows, features=None))  # a view of them would hold on to their memory
    rows = join_rows(small, features[:done])
    return Arrays(
        video_id=rows.video_id.astype(np.bytes_),
        features=rows.features,
        num_frames=rows.num_frames,
        start_time=rows.start_time,
        end_time=rows.end_time,
        label_values=rows.labels.values.astype(np.int32),
        label_counts=rows.labels.counts.astype(np.int32),
        label_scores=rows.scores,
    )
