"""Sound that comes in blocks is embedded as a whole one is; features of two sources are not taken for one."""

import dataclasses

import numpy as np
import pytest

from yt8m_audio.audio.embedding_source import embedded
from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.errors import UserError
from yt8m_audio.feature_source import check_same, feature_source_of, write_feature_source

SOURCE = LogMelStatistics()


@pytest.mark.parametrize(
    "samples", [0, 399, 16_000, 64 * 16_000, 64 * 16_000 + 240, 64 * 16_000 + 399, 130 * 16_000 + 7]
)
@pytest.mark.parametrize("block", [50_001, 3_000_000])
def test_blocks_give_what_the_whole_gives(samples, block):
    sound = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    blocks = [sound[start : start + block] for start in range(0, samples, block)]
    frames = np.concatenate(list(embedded(SOURCE, blocks)))
    np.testing.assert_array_equal(frames, SOURCE.embed(sound))


def test_a_note_is_read_back(tmp_path):
    write_feature_source(tmp_path, SOURCE.described())
    assert feature_source_of([str(tmp_path / "a.tfrecord"), str(tmp_path / "b.tfrecord")]) == SOURCE.described()
    assert feature_source_of([str(tmp_path / "elsewhere" / "a.tfrecord")]) is None


def test_two_sources_are_told_apart(tmp_path):
    other = dataclasses.replace(SOURCE.described(), name="vggish", hop_seconds=0.96)
    with pytest.raises(UserError, match=r"--embedding=vggish gives other features .*hop_seconds 0\.96, not 1\.0"):
        check_same(SOURCE.described(), other, "--embedding=vggish")
    with pytest.raises(UserError, match="Use log_mel_statistics as it was then"):
        check_same(SOURCE.described(), dataclasses.replace(SOURCE.described(), hop_seconds=0.96), "--hop_seconds")
    for name, source in (("a", SOURCE.described()), ("b", other)):
        (tmp_path / name).mkdir()
        write_feature_source(tmp_path / name, source)
    with pytest.raises(UserError, match=r"feature_source\.json"):
        feature_source_of([str(tmp_path / name / "0.tfrecord") for name in ("a", "b")])
