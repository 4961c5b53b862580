"""Clips from every kind of store: each once an epoch, any batch again from seed and step, splits, workers' parts."""

import csv
import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from readers import open_clips
from readers.orders import GlobalShuffle
from readers.packed import write_packed
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record, frames_record
from yt8m_audio.held_out import held_out

BATCH, EPOCHS = 4, 3


@pytest.fixture(params=["usual sizes", "everything large"])
def sizes(request, monkeypatch):
    """With thresholds so low that memory is used again, and clips are fetched in parts."""
    if request.param == "everything large":
        monkeypatch.setattr("readers.rows.LARGE_BYTES", 1)
        monkeypatch.setattr("readers.stores.CHUNK_BYTES", 4000)


@pytest.fixture
def streamed(sizes, shard, open_shards, tmp_path):
    """23 clips in 7 shards."""
    for number, count in enumerate([1, 5, 3, 4, 2, 7, 1]):
        shard(count, f"{number}.tfrecord")
    return open_shards(f"{tmp_path}/*.tfrecord")


@pytest.fixture
def packed(streamed, tmp_path):
    """The same clips, from a packed folder."""
    folder = str(tmp_path / "packed")
    write_packed(folder, streamed.data, (23, 10, 128), np.uint8, streamed.parts())
    return open_clips(folder, "train_data_pattern", DataConfig(frame_features=True))


@pytest.fixture(params=["one window", "windows of 5", "memory", "packed"])
def clips(request, streamed, monkeypatch):
    """The same clips, from each kind of store."""
    if request.param == "packed":
        return request.getfixturevalue("packed")
    if request.param == "windows of 5":
        monkeypatch.setattr("readers.clips.MOST_UNIT_CLIPS", 5)
    return streamed.in_memory() if request.param == "memory" else streamed


def ids_of(batches) -> list[list[bytes]]:
    return [batch["video_id"].numpy().tolist() for batch in batches]


def real_ids(batches) -> list[bytes]:
    """The ids of all rows that count."""
    return [name for batch in batches for name in batch["video_id"].numpy()[batch["example_weights"].numpy() == 1]]


def test_in_order_gives_every_clip_once(clips):
    wanted = [
        f"{shard}-{index}".encode() for shard, count in enumerate([1, 5, 3, 4, 2, 7, 1]) for index in range(count)
    ]
    assert len(clips) == 23
    for batch_size in (1, 4, 23, 30):
        batches = ids_of(clips.in_order(batch_size))
        assert {len(batch) for batch in batches} == {batch_size}
        assert [name for batch in batches for name in batch if name] == wanted


def test_each_epoch_holds_every_clip_once_in_another_order(clips):
    ids = real_ids(clips.shuffled(BATCH, EPOCHS, seed=0))
    epochs = [tuple(ids[start : start + 23]) for start in range(0, len(ids), 23)]
    in_order = tuple(real_ids(clips.in_order(BATCH)))
    assert [sorted(epoch) for epoch in epochs] == EPOCHS * [sorted(in_order)]
    assert len({in_order, *epochs}) == EPOCHS + 1


def test_the_last_batch_of_a_run_is_filled_up(clips):
    batches = list(clips.shuffled(BATCH, EPOCHS, seed=0))
    weights = [int(batch["example_weights"].numpy().sum()) for batch in batches]
    assert weights == [*[BATCH] * 17, 1]  # 69 clips
    assert batches[-1]["features"].shape == (BATCH, 10, 128)
    assert batches[-1]["video_id"].numpy()[1:].tolist() == [b"", b"", b""]


def test_a_batch_is_a_function_of_seed_and_step(clips):
    first = list(clips.shuffled(BATCH, EPOCHS, seed=3))
    again = list(clips.shuffled(BATCH, EPOCHS, seed=3))
    for batch, same in zip(first, again, strict=True):
        for key, value in batch.items():
            np.testing.assert_array_equal(value, same[key])
    assert ids_of(clips.shuffled(BATCH, EPOCHS, seed=4)) != ids_of(first)


def test_a_run_goes_on_from_any_step(clips):
    whole = ids_of(clips.shuffled(BATCH, EPOCHS, seed=1))
    for step in (0, 1, 2, 5, 6, 11, 12, 17, 18, 30):
        assert ids_of(clips.shuffled(BATCH, EPOCHS, seed=1, start_step=step)) == whole[step:]


def test_a_batch_may_span_several_epochs(clips):
    whole = clips.shuffled(50, 5, seed=1)
    assert sorted(real_ids(whole)) == sorted(5 * real_ids(clips.in_order(BATCH)))
    for step in (1, 2):
        assert ids_of(clips.shuffled(50, 5, seed=1, start_step=step)) == ids_of(whole)[step:]


def test_a_longer_run_begins_as_a_shorter_one(clips):
    assert ids_of(clips.shuffled(BATCH, 3, seed=1))[:17] == ids_of(clips.shuffled(BATCH, 1000, seed=1).take(17))


# Splits


def ends_in_zero(name: bytes) -> bool:
    return int(hashlib.sha256(name).hexdigest(), 16) % 10 == 0


def test_a_tenth_is_the_ids_whose_hash_ends_in_zero():
    ids = np.array([f"id {number}".encode() for number in range(1000)], object)
    assert held_out(10)(ids).tolist() == [ends_in_zero(name) for name in ids]


def test_splits_are_nested():
    ids = np.array([f"id {number}".encode() for number in range(5000)], object)
    before = np.zeros(len(ids), bool)
    for percent in (1, 5, 10, 11, 50, 99):
        inside = held_out(percent)(ids)
        assert not (before & ~inside).any()
        assert inside.mean() == pytest.approx(percent / 100, abs=0.02)
        before = inside


def test_no_ids_are_no_clips():
    assert held_out(10)(np.array([], object)).tolist() == []


def test_chosen_clips_alone_are_counted_and_read(clips):
    names = real_ids(clips.in_order(BATCH))
    wanted = [name for name in names if ends_in_zero(name)]
    assert 0 < len(wanted) < 23
    chosen, others = clips.split(held_out(10))
    assert (len(chosen), len(others)) == (len(wanted), 23 - len(wanted))
    assert real_ids(chosen.in_order(BATCH)) == wanted
    assert sorted(real_ids(chosen.shuffled(BATCH, 2, seed=0))) == sorted(2 * wanted)
    whole = ids_of(others.shuffled(BATCH, 2, seed=0))
    assert ids_of(others.shuffled(BATCH, 2, seed=0, start_step=7)) == whole[7:]


def test_a_split_that_holds_no_clip_is_named(shard, open_shards):
    with pytest.raises(UserError, match="None of the 3 clips is held out"):
        open_shards(shard(3)).split(lambda ids: np.zeros(len(ids), bool))
    with pytest.raises(UserError, match="None of the 3 clips is not held out"):
        open_shards(shard(3)).split(lambda ids: np.ones(len(ids), bool))


# Stores


def arrays_of(batches) -> list[dict]:
    return [{key: value.numpy() for key, value in batch.items()} for batch in batches]


def assert_equal(batches, others):
    batches, others = arrays_of(batches), arrays_of(others)
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for key, value in batch.items():
            np.testing.assert_array_equal(value, other[key])
            assert value.dtype == other[key].dtype


def read_through(pattern, data):
    clips = open_clips(pattern, "f", data)
    with clips.errors_explained():
        list(clips.in_order(BATCH))


def test_every_store_gives_the_same_batches_in_one_order(streamed, packed):
    order = GlobalShuffle(23, EPOCHS, seed=5, unit_size=7)
    wanted = streamed.batches(order, BATCH)
    assert_equal(streamed.in_memory().batches(order, BATCH), wanted)
    assert_equal(packed.batches(order, BATCH), wanted)
    assert_equal(packed.in_memory().shuffled(BATCH, EPOCHS, seed=5), packed.shuffled(BATCH, EPOCHS, seed=5))


@pytest.mark.parametrize("sampling", ["balanced", "weighted"])
def test_sampling_is_the_same_from_every_store_and_resumes(streamed, packed, sampling):
    def shuffled(clips, start_step=0):
        data = dataclasses.replace(clips.data, sampling=sampling)
        return dataclasses.replace(clips, data=data).shuffled(BATCH, EPOCHS, seed=5, start_step=start_step)

    wanted = list(shuffled(streamed))
    assert_equal(shuffled(streamed.in_memory()), wanted)
    assert_equal(shuffled(packed), wanted)
    assert_equal(shuffled(streamed, start_step=7), wanted[7:])
    assert len(real_ids(wanted)) == 69


def test_balanced_batches_hold_every_class_as_often(streamed):
    data = dataclasses.replace(streamed.data, sampling="balanced")
    labels = np.concatenate([batch["labels"] for batch in dataclasses.replace(streamed, data=data).shuffled(7, 7, 0)])
    counts = labels[:161, :7].sum(axis=0)  # 161 draws of the classes 0 to 6
    assert counts.tolist() == [23] * 7


def test_a_packed_folder_gives_some_of_its_features_and_frames(tmp_path, shard, open_shards):
    ramp = np.arange(40, dtype=np.uint8).reshape(10, 4)
    records = [frames_record({"id": b"a"}, [1], {"rgb": ramp[:7, :3], "audio": ramp[:7, 3:] + 100})]
    clips = open_shards(shard(records))
    write_packed(str(tmp_path / "packed"), clips.data, (1, 10, 4), np.uint8, clips.parts())

    def features(**settings):
        data = DataConfig(frame_features=True, **settings)
        (batch,) = open_clips(str(tmp_path / "packed"), "f", data).in_order(1)
        return batch["features"].numpy()[0], int(batch["num_frames"][0])

    np.testing.assert_array_equal(features(feature_names="audio", max_frames=3)[0], ramp[:3, 3:] + 100)
    both, num_frames = features(feature_names="audio,rgb", max_frames=12)
    np.testing.assert_array_equal(both[:7], np.concatenate([ramp[:7, 3:] + 100, ramp[:7, :3]], axis=1))
    assert (both.shape, num_frames, both[7:].any()) == ((12, 4), 7, False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"feature_names": "rgb"}, "rgb is no feature of the records; .* holds audio_embedding"),
        ({"feature_sizes": "64"}, "--feature_sizes=64 does not fit audio_embedding"),
        ({"segment_labels": True}, "--segment_labels: .* was not packed by segments"),
        ({"reader": "VggishFrameReader"}, "--reader=VggishFrameReader: .* was packed with AudioSetFrameReader"),
        ({"num_classes": 3}, r"packed, clip 4: label 3 is not in 0 to 2"),
    ],
)
def test_what_does_not_fit_a_packed_folder_is_named(packed, settings, message):
    with pytest.raises(UserError, match=message):
        read_through(packed.store.about, DataConfig(frame_features=True, **settings))


@pytest.mark.parametrize("name", ["features.npy", "label_counts.npy", "packed.json"])
def test_a_damaged_packed_folder_is_named(packed, name):
    file = Path(packed.store.about) / name
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"is no whole packed folder .*repack it"):
        open_clips(packed.store.about, "f", DataConfig(frame_features=True))


def test_a_packed_folder_appears_whole_or_not_at_all(streamed, tmp_path):
    def broken():
        yield next(streamed.parts())
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_packed(str(tmp_path / "new"), streamed.data, (46, 10, 128), np.uint8, broken())
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == []


def test_pooled_frames_are_kept_in_memory(streamed):
    data = dataclasses.replace(streamed.data, frame_features=False, pooling="mean_std_max")
    clips = dataclasses.replace(streamed, data=data)
    assert_equal(clips.in_memory().in_order(BATCH), clips.in_order(BATCH))
    assert clips.in_memory().store.arrays.features.shape == (23, 384)
    assert clips.memory_bytes == 23 * 384 * 4


def test_batches_that_are_held_stay_as_they_are(clips):
    dataset = clips.shuffled(BATCH, 20, seed=0)
    held = [{key: value.numpy() for key, value in batch.items()} for batch in dataset]
    assert_equal(dataset, [{key: tf.constant(value) for key, value in batch.items()} for batch in held])


def test_corrupt_records_in_parts_of_a_batch(streamed, flip_bit):
    wanted = arrays_of(streamed.in_order(23))[0]
    flip_bit(streamed.store.shards.paths[5], -50)
    flip_bit(streamed.store.shards.paths[3], -50)
    streamed.store.skip_corrupt = True
    found = arrays_of(streamed.in_order(23))[0]
    whole = np.flatnonzero(found["example_weights"])
    assert np.setdiff1d(np.arange(23), whole).tolist() == [12, 21]
    for key, value in found.items():
        np.testing.assert_array_equal(value[whole], wanted[key][whole])
    assert not found["features"][[12, 21]].any()


def test_a_split_of_a_part_and_its_labels(streamed):
    part, _ = streamed.split(held_out(70))
    kept, others = part.split(held_out(50))
    ids = real_ids(part.in_order(BATCH))
    assert sorted(real_ids(kept.in_order(BATCH)) + real_ids(others.in_order(BATCH))) == sorted(ids)
    for clips in (part, kept, others):
        wanted = [int(name.split(b"-")[1]) for name in real_ids(clips.in_order(BATCH))]
        assert clips.labels().values.tolist() == wanted  # each clip's one label is its place in its shard


@pytest.mark.parametrize("sampling", ["balanced", "weighted"])
@pytest.mark.parametrize("label", [-1, 9])
def test_a_label_that_is_no_class_is_named_before_it_is_sampled(shard, open_shards, sampling, label):
    frames = np.zeros((1, 2), np.uint8)
    path = shard([audioset_record(f"{index}", [0 if index < 3 else label], frames) for index in range(5)])
    clips = open_shards(path, num_classes=9, sampling=sampling)
    with pytest.raises(UserError, match=rf"00.tfrecord, record 3: label {label} is not in 0 to 8"):
        clips.shuffled(2, 1, seed=0)


def test_an_old_fault_is_not_blamed_for_a_new_error(shard, open_shards):
    clips = open_shards(shard([audioset_record("a", [7], np.zeros((1, 2), np.uint8))]), num_classes=9)
    clips = dataclasses.replace(clips, data=dataclasses.replace(clips.data, num_classes=5))
    with pytest.raises(UserError, match="label 7"), clips.errors_explained():
        list(clips.in_order(1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="matrix"), clips.errors_explained():
        raise tf.errors.InvalidArgumentError(None, None, "matrix sizes")


def test_bytes_and_floats_are_packed_as_floats(tmp_path, shard, open_shards):
    lists = {"rgb": np.full((3, 2), 255, np.uint8), "audio": np.ones((3, 2), np.float32)}
    clips = open_shards(shard([frames_record({"id": "a"}, [1], lists)]))
    write_packed(str(tmp_path / "packed"), clips.data, (1, 10, 4), np.float32, clips.parts())
    data = DataConfig(frame_features=True, feature_names="rgb")
    (batch,) = open_clips(str(tmp_path / "packed"), "f", data).in_order(1)
    np.testing.assert_allclose(batch["features"][0, :3], 255 * 4 / 255 + 4 / 512 - 2)


# AudioSet's own


def test_a_tenth_of_the_balanced_split(audioset, open_shards):
    clips, others = open_shards(f"{audioset}/features/bal_train/*.tfrecord").split(held_out(10))
    assert (len(clips), len(others)) == (2168, 22160 - 2168)
    names = real_ids(clips.in_order(512))
    assert len(names) == 2168
    assert all(map(ends_in_zero, names))


def test_the_balanced_split_is_what_its_list_says(audioset, open_shards):
    with open(audioset / "metadata" / "class_labels_indices.csv", encoding="utf-8") as file:
        index_of = {row["mid"]: int(row["index"]) for row in csv.DictReader(file)}
    with open(audioset / "metadata" / "balanced_train_segments.csv", encoding="utf-8") as file:
        rows = csv.reader((line for line in file if not line.startswith("#")), skipinitialspace=True)
        listed = {row[0]: (float(np.float32(row[1])), {index_of[mid] for mid in row[3].split(",")}) for row in rows}
    found = {}
    for batch in open_shards(f"{audioset}/features/bal_train/*.tfrecord").in_order(1024):
        for name, start, labels in zip(
            *(batch[key].numpy() for key in ("video_id", "start_time", "labels")), strict=True
        ):
            found[name.decode()] = (float(start), set(np.flatnonzero(labels).tolist()))
    del found[""]  # the rows that fill up the last batch
    assert len(found) == 22160
    assert [name for name in {*found, *listed} if found.get(name) != listed.get(name)] == []


@pytest.mark.parametrize(("name", "count"), [("rm", 328), ("xI", 322), ("z8", 325)])
def test_shards_of_the_unbalanced_split(audioset, open_shards, name, count):
    clips = open_shards(f"{audioset}/features/unbal_train/{name}.tfrecord")
    ids = real_ids(clips.in_order(100))
    assert (len(clips), len(set(ids)), {each[:2].decode() for each in ids}) == (count, count, {name})


def test_an_epoch_of_the_balanced_split_holds_every_clip_once(audioset, open_shards):
    clips = open_shards(f"{audioset}/features/bal_train/*.tfrecord", frame_features=False)
    names = real_ids(clips.shuffled(1024, 1, seed=0))
    assert (len(names), len(set(names))) == (22160, 22160)
    batches = clips.shuffled(1024, 3, seed=0, start_step=30).take(3)
    assert ids_of(batches) == ids_of(clips.shuffled(1024, 3, seed=0).skip(30).take(3))
