"""What several test files lean on: real AudioSet records, small shards, and damage to them."""

import os
from pathlib import Path

import numpy as np
import pytest

from yt8m_audio.flags import quieten_tensorflow

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # tests know what a CPU gives
quieten_tensorflow()  # each of the workers would print what TensorFlow thinks of the processor

from readers import open_clips
from yt8m_audio.config import DataConfig
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard


@pytest.fixture(scope="session")
def audioset() -> Path:
    """The folder with AudioSet's features and metadata, from AUDIOSET_DIR or beside the repository."""
    folder = Path(os.environ.get("AUDIOSET_DIR") or Path(__file__).parents[2] / "shared" / "audioset")
    if not (folder / "features" / "bal_train").is_dir():
        pytest.skip(f"no AudioSet records in {folder}: AUDIOSET_DIR names another folder")
    return folder


@pytest.fixture(scope="session")
def ragged_clips(tmp_path_factory) -> str:
    """The glob of 152 clips of 1 to 10 frames of 16 features, and of 5 classes: few batch sizes divide them."""
    folder, random = tmp_path_factory.mktemp("ragged"), np.random.default_rng(0)
    frames = random.integers(0, 256, (152, 10, 16), np.uint8)
    records = [audioset_record(f"c{i}", [i % 5], frames[i][: 1 + i % 10]) for i in range(152)]
    write_shard(str(folder / "a.tfrecord"), records)
    return str(folder / "*.tfrecord")


@pytest.fixture
def shard(tmp_path):
    """Writes a shard: `shard(3)` of three clips `00-0`, `00-1`, `00-2` with label and bytes 0, 1, 2; or of records."""

    def write(records: int | list[bytes], name: str = "00.tfrecord") -> str:
        if isinstance(records, int):
            stem = name.removesuffix(".tfrecord")
            frames = [np.full((10, 128), index, np.uint8) for index in range(records)]
            records = [audioset_record(f"{stem}-{index}", [index], each) for index, each in enumerate(frames)]
        path = str(tmp_path / name)
        write_shard(path, records)
        return path

    return write


@pytest.fixture
def flip_bit():
    """Turns one bit of the byte at an offset, from the end where it is negative."""

    def flip(path: str, offset: int, bit: int = 0) -> None:
        content = bytearray(Path(path).read_bytes())
        content[offset] ^= 1 << bit
        Path(path).write_bytes(content)

    return flip


@pytest.fixture
def open_shards():
    """Opens the clips of a glob with the reader and the settings that its first record gives."""

    def opened(pattern, **settings):
        return open_clips(pattern, "train_data_pattern", DataConfig(**{"frame_features": True, **settings}))

    return opened
