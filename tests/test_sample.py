"""The built-in data set: its sounds, its clips, its shards, and how they come into the cache."""

import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.errors import UserError
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, read_label_map
from yt8m_audio.sample import dataset
from yt8m_audio.sample.clips import identify, make_clip, mix
from yt8m_audio.sample.dataset import class_indices, make_sample, sample_patterns
from yt8m_audio.sample.synthesis import SOUNDS

CONTEXT = {
    "video_id": tf.io.FixedLenFeature([], tf.string),
    "labels": tf.io.VarLenFeature(tf.int64),
    "start_time_seconds": tf.io.FixedLenFeature([], tf.float32),
    "end_time_seconds": tf.io.FixedLenFeature([], tf.float32),
}
FRAMES = {"audio_embedding": tf.io.FixedLenSequenceFeature([], tf.string)}


@pytest.fixture
def few_clips(monkeypatch, tmp_path):
    """Makes the built-in sample small, and its cache a folder of the test's own, not yet there."""
    monkeypatch.setattr(dataset, "make_sample", lambda folder: make_sample(folder, 3, 2))
    monkeypatch.setenv("YT8M_AUDIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("num_samples", [16_000, 40_000])
def test_a_sound(name, num_samples):
    for seed in range(5):
        wave = SOUNDS[name](np.random.default_rng(seed), num_samples)
        assert wave.shape == (num_samples,)
        assert np.isfinite(wave).all()
        assert np.abs(wave).max() == pytest.approx(1.0)
        assert wave[:9_600].std() > 0.01, "not heard soon enough for a clip of one second"
        np.testing.assert_array_equal(wave, SOUNDS[name](np.random.default_rng(seed), num_samples))


def test_sounds_are_classes_of_audioset():
    names = read_label_map(str(AUDIOSET_LABEL_MAP)).names
    assert set(SOUNDS) <= set(names)
    assert all(names[class_indices()[name]] == name for name in SOUNDS)


def test_the_docs_list_the_classes():
    page = (Path(__file__).parents[1] / "docs" / "sample.md").read_text(encoding="utf-8")
    assert [name for name in SOUNDS if f"| {class_indices()[name]} | {name} |" not in page] == []


def test_two_draws_of_a_sound_differ():
    first, second = (mix(np.random.default_rng(seed), ["Bell"], 1) for seed in (0, 1))
    assert np.abs(first - second).max() > 0.01


def test_a_clip_is_a_function_of_seed_split_and_index():
    clip, again = make_clip(8, "train", 5), make_clip(8, "train", 5)
    assert (clip.video_id, clip.classes) == (again.video_id, again.classes)
    np.testing.assert_array_equal(clip.frames, again.frames)
    others = [make_clip(9, "train", 5), make_clip(8, "test", 5), make_clip(8, "train", 6)]
    assert clip.video_id not in {other.video_id for other in others}
    assert not any(np.array_equal(clip.frames, other.frames) for other in others)


def test_clips_vary_in_length_and_classes():
    clips = [make_clip(8, "train", index) for index in range(60)]
    assert {len(clip.classes) for clip in clips} == {1, 2, 3}
    assert all(len(set(clip.classes)) == len(clip.classes) for clip in clips)
    seconds = [len(clip.frames) for clip in clips]
    assert min(seconds) in range(1, 10)
    assert max(seconds) == 10


def test_records_read_as_audiosets(tmp_path):
    make_sample(tmp_path, 9, 5)
    assert sorted(contents(tmp_path)) == [
        "feature_source.json",
        *(f"test-{shard:05d}-of-00004.tfrecord" for shard in range(4)),
        *(f"train-{shard:05d}-of-00008.tfrecord" for shard in range(8)),
    ]
    made = {clip.video_id: clip for split in ("train", "test") for clip in (make_clip(8, split, k) for k in range(9))}
    found = set()
    for record in tf.data.TFRecordDataset(sorted(map(str, tmp_path.glob("*.tfrecord")))):
        context, lists = tf.io.parse_single_sequence_example(record, CONTEXT, FRAMES)
        clip = made[context["video_id"].numpy().decode()]
        frames = tf.io.decode_raw(lists["audio_embedding"], tf.uint8).numpy()
        np.testing.assert_array_equal(frames, clip.frames)
        assert frames.shape == (context["end_time_seconds"] - context["start_time_seconds"], 128)
        assert context["labels"].values.numpy().tolist() == sorted(class_indices()[name] for name in clip.classes)
        found.add(clip.video_id)
    assert len(found) == 9 + 5
    assert {len(video_id) for video_id in found} == {11}


def test_ids_of_the_whole_sample_are_distinct():
    ids = [identify(8, *clip)[0] for clip in [("train", k) for k in range(2000)] + [("test", k) for k in range(500)]]
    assert len(set(ids)) == 2500


def test_the_same_seed_gives_the_same_bytes(tmp_path, monkeypatch):
    make_sample(tmp_path / "first", 4, 2, seed=3)
    monkeypatch.setattr(dataset, "MOST_THREADS", 1)
    make_sample(tmp_path / "again", 4, 2, seed=3)
    make_sample(tmp_path / "other", 4, 2, seed=4)
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    assert contents(tmp_path / "first") != contents(tmp_path / "other")


def test_the_sample_is_made_once(few_clips, monkeypatch):
    lines = []
    patterns = sample_patterns(lines.append)
    assert [len(tf.io.gfile.glob(pattern)) for pattern in patterns] == [3, 2]
    monkeypatch.setattr(dataset, "make_sample", None)
    assert sample_patterns(lines.append) == patterns
    assert len(lines) == 1
    assert str(few_clips) in lines[0]


def test_the_cache_folder_of_the_desktop_is_used_where_none_is_given(monkeypatch):
    monkeypatch.setenv("YT8M_AUDIO_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert str(dataset.cache_folder()) == "/elsewhere/yt8m-audio"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(dataset.cache_folder()) == "/home/me/.cache/yt8m-audio"


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_nothing_half_is_left_when_making_stops(few_clips, monkeypatch, failure):
    def stop(folder):
        make_sample(folder, 1, 0)
        raise failure

    monkeypatch.setattr(dataset, "make_sample", stop)
    with pytest.raises(failure):
        sample_patterns()
    assert list(few_clips.iterdir()) == []


def test_two_at_once_both_end_well(few_clips, monkeypatch):
    both_began = threading.Barrier(2, timeout=60)

    def make_together(folder):
        both_began.wait()
        make_sample(folder, 2, 1)

    monkeypatch.setattr(dataset, "make_sample", make_together)
    found = []
    threads = [threading.Thread(target=lambda: found.append(sample_patterns())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert [path.name for path in few_clips.iterdir()] == [f"sample-v{dataset.VERSION}-seed{dataset.SEED}"]


def test_a_cache_that_cannot_be_written(few_clips):
    few_clips.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="YT8M_AUDIO_CACHE") as error:
        sample_patterns()
    assert str(few_clips) in str(error.value)
    assert "\n" not in str(error.value)
