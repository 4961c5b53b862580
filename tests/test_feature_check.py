"""check: nothing is odd about AudioSet's own features; made faults are named, and agreement is what it is."""

import json
import re

import numpy as np
import pytest

from yt8m_audio import flags
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.audio.feature_statistics import Agreement, FeatureStatistics
from yt8m_audio.examples import audioset_record, frames_record, video_record
from yt8m_audio.records import write_shard

RANDOM = np.random.default_rng(0)


def check(*arguments):
    """Runs the command as it is typed; returns the exit status."""
    with pytest.raises(SystemExit) as exit_info:
        flags.run(main_of_command, ["yt8m_audio", "check", *map(str, arguments)])
    return exit_info.value.code


def whitened(count=60, frames=10):
    """Bytes as AudioSet has them: normal, quantised from -2 to 2, with what lies beyond at both ends."""
    values = RANDOM.normal(0, 1.2, (count, frames, 128))
    return ((np.clip(values, -2, 2) + 2) * 255 / 4).astype(np.uint8)


def statistics_of(features, seconds=10.0, **settings):
    count, frames, size = features.shape
    statistics = FeatureStatistics(size, features.dtype == np.uint8, **settings)
    ids = np.array([f"c{number}".encode() for number in range(count)], object)
    lengths, start = np.full(count, frames), np.zeros(count)
    for half in (np.s_[: count // 2], np.s_[count // 2 :]):
        statistics.add(features[half], lengths[half], ids[half], start[half], start[half] + seconds)
    return statistics


def odd(features, **settings):
    return " | ".join(statistics_of(features, **settings).oddities())


def test_nothing_is_odd_about_whitened_bytes_and_floats():
    features = whitened()
    assert odd(features) == ""
    assert odd(features.astype(np.float32)) == ""


def test_nothing_is_odd_about_audiosets_own(audioset, capsys, tmp_path):
    assert check(audioset / "features" / "bal_train" / "0*.tfrecord", f"--json={tmp_path}/facts.json") == 0
    said = capsys.readouterr().out
    assert "Nothing is odd" in said
    assert max(map(len, said.splitlines())) <= 80 or str(audioset) in said
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert (facts["hop_seconds"], facts["constant_dimensions"], facts["odd"]) == (1.0, [], [])
    assert np.shape(facts["histogram"]) == (128, 256)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda each: each ^ 0x80, "signed bytes"),
        (lambda each: np.where(np.arange(128) == 5, np.uint8(7), each), "constant: dimension 5 has one value"),
        (lambda each: np.where(np.arange(128) < 2, np.uint8(255) * (each > 100), each), "saturated: .*dimensions 0, 1"),
        (lambda each: (np.clip((each.astype(int) - 128) * 8, -128, 127) + 128).astype(np.uint8), "saturated: more"),
        (lambda each: np.repeat(each[:, :1], 10, axis=1), "frames that are all the same"),
        (lambda each: np.repeat(each[:30], 2, axis=0), "30 clips hold the same as another"),
        (lambda each: each * (np.arange(10)[:, None] > 0).astype(np.uint8), "60 frames are all zero"),
        (lambda each: np.where(each > 250, np.float32(np.nan), each), "are NaN"),
    ],
    ids=["signed", "constant", "saturated", "both_ends", "still", "twice", "zero", "nan"],
)
def test_a_fault_is_named(fault, said):
    assert re.search(said, odd(fault(whitened())))


def test_audiosets_bytes_read_as_signed_are_found(audioset, open_shards):
    clips = open_shards(f"{audioset}/features/bal_train/0*.tfrecord", max_frames=10)
    features = clips.store.fetch(np.arange(len(clips))).features
    assert "signed bytes" in odd(features ^ np.uint8(0x80))
    assert "signed bytes" not in odd(features)


def test_hops():
    features = whitened()
    assert "most have one each 0.5 s" in odd(features, seconds=5.0)
    assert odd(features, seconds=5.0, hop_seconds=0.5) == ""
    assert odd(features, seconds=9.6, hop_seconds=0.96) == ""
    assert statistics_of(features, seconds=4.8).usual_hop() == pytest.approx(0.48)


def test_agreement_is_what_numpy_says():
    ours, agreement = whitened(8, 4), Agreement(128)
    theirs = np.clip(ours + RANDOM.integers(-9, 10, ours.shape), 0, 255).astype(np.uint8)
    theirs[..., 3] = 1
    for part in (np.s_[:3], np.s_[3:]):
        agreement.add(ours[part], theirs[part], np.full(len(ours[part]), 4))
    x, y = ours.reshape(-1, 128).astype(float), theirs.reshape(-1, 128).astype(float)
    wanted = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in (0, 1, 127)]
    np.testing.assert_allclose(agreement.correlation()[[0, 1, 127]], wanted)
    np.testing.assert_allclose(agreement.difference(), np.abs(x - y).mean(axis=0))
    assert np.isnan(agreement.correlation()[3])


@pytest.fixture
def records(tmp_path):
    """Clips a, b, c of 3, 5 and 2 frames, and others of the same: b shorter, c missing, in another order."""
    frames = {name: whitened(1, count)[0] for name, count in (("a", 3), ("b", 5), ("c", 2))}
    write_shard(str(tmp_path / "ours.tfrecord"), [audioset_record(name, [900], each) for name, each in frames.items()])
    theirs = {"x": frames["c"], "b": frames["b"][:4], "a": frames["a"]}
    write_shard(str(tmp_path / "theirs.tfrecord"), [audioset_record(name, [], each) for name, each in theirs.items()])
    return tmp_path


def test_records_are_compared_by_id(records, capsys):
    assert check(records / "ours.tfrecord", f"--against={records}/theirs.tfrecord", "--json=-") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["clips"], facts["frames"]) == (3, 10)
    against = facts["against"]
    assert (against["clips"], against["frames"], against["clips_of_other_length"]) == (2, 7, 1)
    assert max(against["difference"]) == 0


def test_corrupt_records_are_odd(tmp_path, capsys):
    write_shard(
        str(tmp_path / "a.tfrecord"), [audioset_record(f"c{i}", [], each) for i, each in enumerate(whitened(9))]
    )
    content = (tmp_path / "a.tfrecord").read_bytes()
    for name, damaged in (("cut", content[:-700]), ("bit", content[:700] + b"\0\1" + content[702:])):
        (tmp_path / f"{name}.tfrecord").write_bytes(damaged)
        assert check(tmp_path / f"{name}.tfrecord") == 1
        assert "odd: corrupt: at least 1 record left out" in capsys.readouterr().out
    assert check(tmp_path / "a.tfrecord", f"--against={tmp_path}/cut.tfrecord") == 1
    assert "odd: --against: corrupt" in capsys.readouterr().out


def test_features_of_other_sound_disagree(tmp_path, capsys):
    for name in ("ours", "theirs"):
        clips = [audioset_record(f"c{i}", [], each) for i, each in enumerate(whitened(9))]
        write_shard(str(tmp_path / f"{name}.tfrecord"), clips)
    assert check(tmp_path / "ours.tfrecord", f"--against={tmp_path}/theirs.tfrecord") == 1
    assert "odd: disagreeing" in capsys.readouterr().out


def test_long_clips_beside_short_ones(tmp_path, capsys):
    frames = whitened(1, 4_000)[0]
    written = [
        audioset_record("long", [], frames),
        *(audioset_record(f"s{i}", [], frames[i : i + 2]) for i in range(9)),
    ]
    write_shard(str(tmp_path / "a.tfrecord"), written)
    check(tmp_path / "a.tfrecord", "--json=-")
    facts = json.loads(capsys.readouterr().out)
    assert (facts["clips"], facts["frames"]) == (10, 4_018)


@pytest.mark.parametrize(
    "record",
    [
        frames_record({"id": "a"}, [1], {"rgb": np.ones((2, 8), np.uint8), "audio": np.ones((2, 4), np.uint8)}),
        video_record({"id": "a"}, [1], {"mean_audio": np.arange(4)}),
        frames_record({"video_id": "a"}, [1], {"audio_embedding": np.eye(3, dtype=np.float32)}),
    ],
    ids=["youtube8m", "vectors", "floats"],
)
def test_other_families(record, tmp_path, capsys):
    write_shard(str(tmp_path / "a.tfrecord"), [record])
    check(tmp_path / "a.tfrecord", "--json=-")
    assert json.loads(capsys.readouterr().out)["clips"] == 1


def test_what_cannot_be_compared(records, tmp_path, capsys):
    write_shard(str(tmp_path / "small.tfrecord"), [audioset_record("a", [], np.zeros((2, 5), np.uint8))])
    write_shard(str(tmp_path / "none.tfrecord"), [audioset_record("z", [], whitened(1, 2)[0])])
    for other, said in (("small", "another features a frame (5)"), ("none", "none of the clips")):
        assert check(records / "ours.tfrecord", f"--against={tmp_path}/{other}.tfrecord") == 2
        assert said in capsys.readouterr().err
    assert check(tmp_path / "absent*") == 2
    assert "absent* matches no file" in capsys.readouterr().err
