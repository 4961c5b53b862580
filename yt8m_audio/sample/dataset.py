"""The built-in sample: 2,500 synthesised clips as AudioSet records, made on first use and kept.

    patterns = sample_patterns(log=print)
    patterns.train  # '/home/me/.cache/yt8m-audio/sample-v2-seed8/train-*.tfrecord'

Making it takes about half a minute on two cores; its 4 MB stay in a cache folder. What is in it: docs/sample.md.
"""

import functools
import glob
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.cache import CACHE_VARIABLE, cache_folder
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.feature_source import write_feature_source
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, read_label_map
from yt8m_audio.records import write_shard
from yt8m_audio.sample.clips import Clip, make_clip

VERSION = 2  # to be raised by whoever changes what is in it, so that an older cache is not taken for the new
SEED = 8
TRAIN_CLIPS, TRAIN_SHARDS = 2_000, 8
TEST_CLIPS, TEST_SHARDS = 500, 4
MOST_THREADS = 8  # numpy leaves the interpreter's lock to the others only inside its own loops


class SamplePatterns(NamedTuple):
    """Globs of the two splits' shards."""

    train: str
    test: str


def sample_patterns(log: Callable[[str], None] | None = None) -> SamplePatterns:
    """Returns where the sample lies, and makes it first if it is not there.

    The folder is there whole or not at all: it is made under another name beside, then renamed. Of two processes
    that make it at once, the second one's work is dropped.

    Args:
        log: called with one line if the sample has to be made, which takes a while.

    Raises:
        UserError: if the cache folder cannot be written.
    """
    folder = cache_folder() / f"sample-v{VERSION}-seed{SEED}"
    if not os.path.isdir(folder):
        if log is not None:
            log(f"Making the built-in sample, {TRAIN_CLIPS + TEST_CLIPS:,} clips, once, in {folder}")
        try:
            make_whole(folder, make_sample)
        except (OSError, tf.errors.OpError) as error:
            raise UserError(
                f"The built-in sample cannot be made in {folder.parent}: {getattr(error, 'strerror', None) or error}. "
                f"Set {CACHE_VARIABLE} to a folder that can be written."
            ) from error
    return SamplePatterns(*(f"{glob.escape(str(folder))}/{split}-*.tfrecord" for split in ("train", "test")))


def make_whole(folder: Path, fill: Callable[[str], None]) -> None:
    """Fills a new folder beside `folder` and gives it that name, unless another process was there first.

    Raises:
        OSError: if the folder above cannot be made or written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)
    try:
        fill(making)
        os.chmod(making, 0o755)  # mkdtemp's are its owner's alone, and a cache may be shared
        os.rename(making, folder)
    except OSError:
        if not folder.is_dir():  # where it is one, another process was there first, and its folder is as good
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)  # nothing is left here when all went well


def make_sample(folder: str, train_clips: int = TRAIN_CLIPS, test_clips: int = TEST_CLIPS, seed: int = SEED) -> None:
    """Synthesises clips and writes them as AudioSet records, in shards named `train-00000-of-00008.tfrecord`.

    The note of where the features come from lies beside them (see yt8m_audio.feature_source).

    Args:
        folder: where the shards go; made if need be.
        train_clips: how many clips for training, in 8 shards, or one a clip if there are fewer.
        test_clips: how many for testing, in 4.
        seed: any whole number from 0; the same seed gives the same bytes.
    """
    os.makedirs(folder, exist_ok=True)
    for split, clips, shards in (("train", train_clips, TRAIN_SHARDS), ("test", test_clips, TEST_SHARDS)):
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
            made = threads.map(functools.partial(make_clip, seed, split), range(clips))
            records = [to_record(clip) for clip in made]
        shards = min(shards, clips)
        for shard in range(shards):
            path = os.path.join(folder, f"{split}-{shard:05d}-of-{shards:05d}.tfrecord")
            write_shard(path, records[shard::shards])
    write_feature_source(folder, LogMelStatistics().described())


def to_record(clip: Clip) -> bytes:
    """Serialises a clip, its classes as AudioSet's indices in rising order."""
    return audioset_record(clip.video_id, sorted(class_indices()[name] for name in clip.classes), clip.frames)


@functools.cache
def class_indices() -> dict[str, int]:
    """Returns AudioSet's class indices by display name."""
    return {name: index for index, name in enumerate(read_label_map(str(AUDIOSET_LABEL_MAP)).names)}
