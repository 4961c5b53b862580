"""What is measured on: AudioSet's balanced split as released and in 16 shards, and made YouTube-8M frames.

The split lies in AUDIOSET_DIR (or ../shared/audioset); without it the built-in sample takes its place.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from readers import Clips, open_clips
from yt8m_audio.config import DataConfig
from yt8m_audio.examples import frames_record
from yt8m_audio.records import find_shards, index_shards, read_records, write_shard

REPACKED_SHARDS = 16
VIDEOS, VIDEO_SHARDS, VIDEO_FRAMES = 1024, 8, 300


def audioset_pattern() -> str:
    """The glob of AudioSet's records."""
    folder = Path(os.environ.get("AUDIOSET_DIR", Path(__file__).parents[2] / "shared" / "audioset"))
    if (folder / "features" / "bal_train").is_dir():
        return str(folder / "features" / "bal_train" / "*.tfrecord")
    from yt8m_audio.sample import sample_patterns

    return sample_patterns(print).train


def opened(pattern: str, **settings) -> Clips:
    """The clips to measure with, by frames."""
    return open_clips(pattern, "train_data_pattern", DataConfig(**{"frame_features": True, **settings}))


@contextlib.contextmanager
def made() -> Iterator[tuple[str, str, str]]:
    """Globs of AudioSet's records in few shards, and of made YouTube-8M records; a folder that goes with them."""
    with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as folder:
        yield _repacked(Path(folder, "repacked")), _videos(Path(folder, "videos")), folder


def _repacked(folder: Path) -> str:
    """Writes AudioSet's records to a few large shards."""
    folder.mkdir()
    shards = index_shards(find_shards(audioset_pattern(), "AUDIOSET_DIR"))
    for number in range(REPACKED_SHARDS):
        records, _ = read_records(shards, np.arange(number, len(shards), REPACKED_SHARDS))
        write_shard(str(folder / f"{number:02d}.tfrecord"), (records[row] for row in range(len(records))))
    return f"{folder}/*.tfrecord"


def _videos(folder: Path) -> str:
    """Writes videos of 300 seconds, 1024 bytes of picture and 128 of sound each; what the bytes are does not matter."""
    folder.mkdir()
    random = np.random.default_rng(0)
    frames = {"rgb": (VIDEO_FRAMES, 1024), "audio": (VIDEO_FRAMES, 128)}
    for shard in range(VIDEO_SHARDS):
        lists = {name: random.integers(0, 256, shape, np.uint8) for name, shape in frames.items()}
        ids = range(shard, VIDEOS, VIDEO_SHARDS)
        records = (frames_record({"id": f"{number:04d}"}, [number], lists) for number in ids)
        write_shard(str(folder / f"{shard:02d}.tfrecord"), records)
    return f"{folder}/*.tfrecord"
