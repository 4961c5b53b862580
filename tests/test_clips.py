"""The order of clips: every one once an epoch, any batch again from seed and step, and splits by a hash of the id."""

import csv
import hashlib

import numpy as np
import pytest

from readers import Clips, held_out, open_clips
from yt8m_audio.errors import UserError

BATCH, EPOCHS = 4, 3


@pytest.fixture(params=[None, 5], ids=["one window", "windows of 5"])
def clips(request, shard, open_shards, tmp_path, monkeypatch):
    """23 clips in 7 shards."""
    if request.param:
        monkeypatch.setattr(Clips, "_window_size", lambda clips: request.param)
    for number, count in enumerate([1, 5, 3, 4, 2, 7, 1]):
        shard(count, f"{number}.tfrecord")
    return open_shards(f"{tmp_path}/*.tfrecord")


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
    assert held_out(10, inside=True)(ids).tolist() == [ends_in_zero(name) for name in ids]


def test_splits_are_complementary_and_nested():
    ids = np.array([f"id {number}".encode() for number in range(5000)], object)
    before = np.zeros(len(ids), bool)
    for percent in (1, 5, 10, 11, 50, 99):
        inside, outside = held_out(percent, inside=True)(ids), held_out(percent, inside=False)(ids)
        assert (inside != outside).all()
        assert not (before & ~inside).any()
        assert inside.mean() == pytest.approx(percent / 100, abs=0.02)
        before = inside


def test_no_ids_are_no_clips():
    assert held_out(10, inside=True)(np.array([], object)).tolist() == []


def test_chosen_clips_alone_are_counted_and_read(clips):
    names = real_ids(clips.in_order(BATCH))
    wanted = [name for name in names if ends_in_zero(name)]
    assert 0 < len(wanted) < 23
    reader, pattern = clips.reader, ",".join(clips.shards)
    chosen = open_clips(pattern, "f", reader).only(held_out(10, inside=True))
    others = open_clips(pattern, "f", reader).only(held_out(10, inside=False))
    assert (len(chosen), len(others)) == (len(wanted), 23 - len(wanted))
    assert real_ids(chosen.in_order(BATCH)) == wanted
    assert sorted(real_ids(chosen.shuffled(BATCH, 2, seed=0))) == sorted(2 * wanted)
    whole = ids_of(others.shuffled(BATCH, 2, seed=0))
    assert ids_of(others.shuffled(BATCH, 2, seed=0, start_step=7)) == whole[7:]


def test_a_split_that_holds_no_clip_is_named(shard, open_shards):
    with pytest.raises(UserError, match="None of the 3 clips is in the chosen split"):
        open_shards(shard(3)).only(lambda ids: np.zeros(len(ids), bool))


# AudioSet's own


def test_a_tenth_of_the_balanced_split(audioset, open_shards):
    clips = open_shards(f"{audioset}/features/bal_train/*.tfrecord").only(held_out(10, inside=True))
    assert len(clips) == 2168
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


def test_an_epoch_of_the_balanced_split_holds_every_clip_once(audioset, open_shards):
    clips = open_shards(f"{audioset}/features/bal_train/*.tfrecord", frame_features=False)
    names = real_ids(clips.shuffled(1024, 1, seed=0))
    assert (len(names), len(set(names))) == (22160, 22160)
    batches = clips.shuffled(1024, 3, seed=0, start_step=30).take(3)
    assert ids_of(batches) == ids_of(clips.shuffled(1024, 3, seed=0).skip(30).take(3))
