"""What holds for every record family: made records of each, read by the reader that recognises them."""

import dataclasses
import itertools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from readers import open_clips, resolve
from readers.pooling import pool_frames
from yt8m_audio.batch import LABEL_KEYS
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record, frames_record, video_record
from yt8m_audio.records import Records, write_shard
from yt8m_audio.registry import READERS

SEGMENTS = {"segment_start_times": [0, 5, 0], "segment_end_times": [5, 10, 5], "segment_scores": [1.0, 0.0, 0.0]}


def ramp(number: int, frames: int, size: int) -> np.ndarray:
    """Bytes that tell clips, frames and features apart."""
    return (np.arange(frames * size).reshape(frames, size) + 7 * number + 1).astype(np.uint8)


def floats(number: int, frames: int, size: int) -> np.ndarray:
    return (ramp(number, frames, size) / 64 - 2).astype(np.float32)


def segment_record(number, frames, labels):
    rated = {"segment_labels": [labels[0], 2, 3], **SEGMENTS} if labels else {}
    lists = {"rgb": ramp(number, frames, 4), "audio": ramp(number, frames, 2)}
    return frames_record({"id": f"id{number}", **rated}, labels, lists)


@dataclasses.dataclass(frozen=True)
class Family:
    """Made records of a family.

    Attributes:
        reader: that recognises them.
        names: the features that are read when none are given.
        sizes: of these.
        record: number, frames, labels -> a serialised record.
        settings: that are needed.
    """

    reader: str
    names: str
    sizes: str
    record: object
    settings: dict = dataclasses.field(default_factory=dict)


def youtube8m(key, make, kind=ramp):
    return lambda number, frames, labels: make(
        {key: f"id{number}"}, labels, {"rgb": kind(number, frames, 4), "audio": kind(number, frames, 2)}
    )


def video(key):
    return lambda number, frames, labels: video_record(
        {key: f"id{number}"}, labels, {"mean_rgb": floats(number, 1, 4)[0], "mean_audio": floats(number, 1, 2)[0]}
    )


FAMILIES = {
    "AudioSet": Family(
        "AudioSetFrameReader",
        "audio_embedding",
        "6",
        lambda number, frames, labels: audioset_record(f"id{number}", labels, ramp(number, frames, 6), 30.0),
    ),
    "AudioSet of floats": Family(
        "AudioSetFrameReader",
        "audio_embedding",
        "6",
        lambda number, frames, labels: audioset_record(f"id{number}", labels, floats(number, frames, 6), 30.0),
    ),
    "YouTube-8M frames, id": Family("Youtube8mFrameReader", "rgb,audio", "4,2", youtube8m("id", frames_record)),
    "YouTube-8M frames, video_id": Family(
        "Youtube8mFrameReader", "rgb,audio", "4,2", youtube8m("video_id", frames_record)
    ),
    "YouTube-8M videos, id": Family("Youtube8mVideoReader", "mean_rgb,mean_audio", "4,2", video("id")),
    "YouTube-8M videos, video_id": Family("Youtube8mVideoReader", "mean_rgb,mean_audio", "4,2", video("video_id")),
    "YouTube-8M segments": Family(
        "Youtube8mSegmentReader", "rgb,audio", "4,2", segment_record, {"segment_labels": True}
    ),
    "VGGish": Family(
        "VggishFrameReader",
        "audio_embedding",
        "6",
        lambda number, frames, labels: _without_context({"audio_embedding": ramp(number, frames, 6)}),
    ),
    "MediaPipe": Family(
        "MediaPipeFeatureReader",
        "RGB/feature/floats,AUDIO/feature/floats",
        "4,2",
        lambda number, frames, labels: frames_record(
            {"clip/data_path": f"/videos/id{number}.mp4"},
            labels,
            {"RGB/feature/floats": floats(number, frames, 4), "AUDIO/feature/floats": floats(number, frames, 2)},
        ),
    ),
}
WITH_FRAMES = [name for name in FAMILIES if "videos" not in name]
LABELLED = [name for name in FAMILIES if name not in ("VGGish", "YouTube-8M segments")]


def _without_context(lists) -> bytes:
    example = tf.train.SequenceExample.FromString(frames_record({}, [], lists))
    example.ClearField("context")
    return example.SerializeToString()


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


@pytest.fixture
def open_family(tmp_path):
    """Writes shards of records of a family, [[record, ...], ...], and opens them."""

    def opened(family, shards, **settings):
        for number, records in enumerate(shards):
            write_shard(str(tmp_path / f"s{number}.tfrecord"), records)
        level = READERS.get(family.reader).level
        data = DataConfig(**{"frame_features": level == "frame", **family.settings, **settings})
        return open_clips(f"{tmp_path}/*.tfrecord", "train_data_pattern", data)

    return opened


def three(family, labels=(1,)):
    return [family.record(number, frames, list(labels)) for number, frames in enumerate((10, 7, 10))]


def read(clips, batch_size=4) -> dict[str, np.ndarray]:
    """All rows that count."""
    with clips.errors_explained():
        batches = [{key: value.numpy() for key, value in batch.items()} for batch in clips.in_order(batch_size)]
    rows = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    return {key: value[rows["example_weights"] == 1] for key, value in rows.items()}


def test_a_family_is_recognised(family):
    data = resolve(DataConfig(**family.settings), three(family), "x.tfrecord")
    assert (data.reader, data.feature_names, data.feature_sizes) == (family.reader, family.names, family.sizes)


def test_a_batch_keeps_the_contract(family, open_family):
    clips = open_family(family, [three(family)], num_classes=9)
    spec = clips.in_order(4).element_spec
    kind = tf.uint8 if "float32" not in clips.data.types else tf.float32
    frames = {"Youtube8mSegmentReader": [5], "Youtube8mVideoReader": []}.get(family.reader, [10])
    assert spec["features"] == tf.TensorSpec([4, *frames, 6], kind)
    assert spec["labels"] == tf.TensorSpec([4, 9], tf.uint8)
    assert ("label_weights" in spec) == clips.data.segment_labels
    for batch in clips.in_order(4):
        assert {key: (value.shape, value.dtype) for key, value in batch.items()} == {
            key: (each.shape, each.dtype) for key, each in spec.items()
        }


@pytest.mark.parametrize("name", [name for name in WITH_FRAMES if "segments" not in name])
def test_frames_are_concatenated_padded_and_masked(name, open_family):
    family = FAMILIES[name]
    rows = read(open_family(family, [three(family)]))
    assert rows["num_frames"].tolist() == [10, 7, 10]
    kind = ramp if rows["features"].dtype == np.uint8 else floats
    for number, count in enumerate((10, 7, 10)):
        sizes = map(int, family.sizes.split(","))
        wanted = np.concatenate([kind(number, count, size) for size in sizes], axis=1)
        np.testing.assert_array_equal(rows["features"][number, :count], wanted)
        assert not rows["features"][number, count:].any()


def test_ids(family, open_family):
    rows = read(open_family(family, [three(family)[:1], three(family)[1:]], max_frames=5))
    wanted = [b"s0", b"s1#0", b"s1#1"] if family.reader == "VggishFrameReader" else [b"id0", b"id1", b"id2"]
    if family.settings:
        wanted = [name for name in wanted for _ in range(2)]
    assert rows["video_id"].tolist() == wanted


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("labels", [[], [0], [5, 2, 5]])
def test_labels(name, labels, open_family):
    rows = read(open_family(FAMILIES[name], [three(FAMILIES[name], labels)], num_classes=6))
    np.testing.assert_array_equal(rows["labels"], np.tile(np.isin(np.arange(6), labels), (3, 1)))


@pytest.mark.parametrize("name", WITH_FRAMES)
def test_a_clip_without_frames(name, open_family):
    family = FAMILIES[name]
    rows = read(open_family(family, [[family.record(0, 10, [1]), family.record(1, 0, [1])]]))
    assert rows["num_frames"].tolist()[-1] == 0
    assert not rows["features"][-1].any()


def test_a_wrong_key_is_named(family, open_family):
    first, second = three(family)[:2]
    name = family.names.split(",")[0].encode()
    with pytest.raises(UserError, match=f"s1.tfrecord, record 0: it has no feature .*{family.names.split(',')[0]}"):
        read(open_family(family, [[first], [second.replace(name, name[:-1] + b"_")]]))


@pytest.mark.parametrize("name", LABELLED)
def test_a_label_out_of_range_is_named(name, open_family):
    records = [*three(FAMILIES[name]), FAMILIES[name].record(3, 4, [1, 9])]
    with pytest.raises(UserError, match=r"s0.tfrecord, record 3: label 9 is not in 0 to 8"):
        read(open_family(FAMILIES[name], [records], num_classes=9))


def test_cut_and_flipped_records_are_named_or_skipped(family, open_family, tmp_path, flip_bit):
    open_family(family, [three(family), three(family)])
    flip_bit(str(tmp_path / "s0.tfrecord"), 30)
    content = (tmp_path / "s1.tfrecord").read_bytes()
    (tmp_path / "s1.tfrecord").write_bytes(content[:-9])
    data = DataConfig(**{"frame_features": READERS.get(family.reader).level == "frame", **family.settings})
    with pytest.raises(UserError, match=r"s1.tfrecord is corrupt at record 2: .*--skip_corrupt_records"):
        open_clips(f"{tmp_path}/*", "f", data)
    (tmp_path / "s1.tfrecord").write_bytes(content)
    with pytest.raises(UserError, match=r"s0.tfrecord is corrupt at record 0: .*--skip_corrupt_records"):
        open_clips(f"{tmp_path}/*", "f", data)
    clips = open_clips(f"{tmp_path}/*", "f", dataclasses.replace(data, skip_corrupt_records=True))
    assert len(read(clips)["num_frames"]) == (10 if family.settings else 5)
    assert clips.lost_lines()[0] == f"warning: {tmp_path}/s0.tfrecord: 1 corrupt record left out."


def test_an_empty_shard_is_passed_over(family, open_family, tmp_path):
    clips = open_family(family, [three(family)])
    (tmp_path / "empty.tfrecord").touch()
    assert len(open_clips(f"{tmp_path}/*", "f", clips.data)) == len(clips)


def test_training_batches_come_again(family, open_family):
    clips = open_family(family, [three(family), three(family)])
    first, again = (list(clips.shuffled(2, 2, seed=1, start_step=start)) for start in (0, 1))
    for batch, same in zip(first[1:], again, strict=True):
        for key, value in batch.items():
            np.testing.assert_array_equal(value, same[key])


def test_the_end_does_not_wait_for_tuning(family, open_family):
    assert not open_family(family, [three(family)]).in_order(2).options().autotune.enabled


def test_batches_without_some_keys_hold_the_others(family, open_family):
    clips = open_family(family, [three(family)])
    for batch, whole in zip(clips.in_order(2, without=LABEL_KEYS), clips.in_order(2), strict=True):
        assert batch.keys() == whole.keys() - set(LABEL_KEYS)
        for key, value in batch.items():
            np.testing.assert_array_equal(value, whole[key])


def test_no_two_arrays_of_a_batch_share_memory(family, open_family):
    clips = open_family(family, [three(family)])
    batch = clips.batch(np.arange(2), clips.in_order(2).element_spec)
    arrays = [value for value in batch.values() if value.dtype != object]
    assert not any(np.shares_memory(one, other) for one, other in itertools.combinations(arrays, 2))


def test_any_reader_can_be_forced(open_family):
    family = FAMILIES["YouTube-8M frames, id"]
    assert open_family(family, [three(family)], reader="AudioSetFrameReader").data.reader == "AudioSetFrameReader"


def test_features_in_the_order_asked_for(open_family):
    family = FAMILIES["YouTube-8M frames, id"]
    both = read(open_family(family, [three(family)]))["features"]
    rows = read(open_family(family, [three(family)], feature_names="audio,rgb", feature_sizes="2,4"))["features"]
    np.testing.assert_array_equal(rows, np.concatenate([both[..., 4:], both[..., :4]], axis=2))
    np.testing.assert_array_equal(
        read(open_family(family, [three(family)], feature_names="audio"))["features"], both[..., 4:]
    )


@pytest.mark.parametrize(
    ("trained", "other", "names"),
    [
        ("rgb,audio", "MediaPipe", "RGB/feature/floats,AUDIO/feature/floats"),
        ("audio", "MediaPipe", "AUDIO/feature/floats"),
        ("mean_audio,mean_rgb", "YouTube-8M frames, id", "audio,rgb"),
        ("audio", "VGGish", "audio_embedding"),
        ("RGB/feature/floats", "YouTube-8M videos, id", "mean_rgb"),
    ],
)
def test_other_families_call_a_feature_by_another_name(trained, other, names):
    family = FAMILIES[other]
    assert resolve(DataConfig(feature_names=trained), three(family), "x").feature_names == names


def test_bytes_and_floats_together_are_floats(open_family):
    lists = {"rgb": floats(0, 3, 2), "audio": ramp(0, 3, 2)}
    family = dataclasses.replace(FAMILIES["YouTube-8M frames, id"], names="rgb,audio")
    rows = read(open_family(family, [[frames_record({"id": "a"}, [], lists)]]))["features"][0]
    np.testing.assert_array_equal(rows[:3, :2], lists["rgb"])
    np.testing.assert_allclose(rows[:3, 2:], lists["audio"] * (4 / 255) + 4 / 512 - 2, rtol=0, atol=1e-6)
    assert not rows[3:].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frame_features": True}, "hold one vector a clip, which a frame-level model cannot be fed"),
        ({"pooling": "mean_std_max"}, "--pooling=mean_std_max needs records with frames"),
        ({"feature_names": "mean_sound"}, "mean_sound is no feature of the records"),
        ({"feature_sizes": "4"}, "--feature_sizes=4 are 1, but there are 2 features"),
        ({"feature_sizes": "4,3"}, "--feature_sizes=4,3 does not fit mean_audio, .*set 4,2"),
        ({"feature_types": "uint8,uint8"}, "--feature_types=uint8,uint8 does not fit mean_rgb, which is float32"),
    ],
)
def test_what_does_not_fit_video_level_records(settings, message):
    family = FAMILIES["YouTube-8M videos, id"]
    with pytest.raises(UserError, match=message):
        resolve(DataConfig(**{"frame_features": False, **settings}), three(family), "x")


def test_a_bare_file_is_one_clip(tmp_path):
    family = FAMILIES["MediaPipe"]
    (tmp_path / "features.pb").write_bytes(family.record(3, 5, []))
    rows = read(open_clips(str(tmp_path / "features.pb"), "f", DataConfig(frame_features=True)))
    assert (rows["video_id"].tolist(), rows["num_frames"].tolist()) == ([b"id3"], [5])


# Pooling


def pooled_by_hand(frames, pooling):
    values = frames * (4 / 255) + 4 / 512 - 2 if frames.dtype == np.uint8 else frames
    parts = [values.mean(axis=0)]
    if pooling == "mean_std_max":
        parts += [values.std(axis=0), values.max(axis=0)]
    return np.concatenate(parts)


@pytest.mark.parametrize("pooling", ["mean", "mean_std_max"])
@pytest.mark.parametrize("name", ["AudioSet", "AudioSet of floats", "YouTube-8M frames, id", "MediaPipe"])
def test_frames_feed_a_video_level_model_by_pooling(name, pooling, open_family):
    family = FAMILIES[name]
    frames = read(open_family(family, [three(family)]))
    rows = read(open_family(family, [three(family)], frame_features=False, pooling=pooling))
    for number, count in enumerate((10, 7, 10)):
        wanted = pooled_by_hand(frames["features"][number, :count], pooling)
        np.testing.assert_allclose(rows["features"][number], wanted, rtol=0, atol=2e-6)


def test_clips_are_pooled_some_at_a_time(monkeypatch):
    frames, num_frames = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8), np.arange(7) % 6
    frames[np.arange(5) >= num_frames[:, None]] = 0
    whole = pool_frames(frames, num_frames, "mean_std_max")
    monkeypatch.setattr("readers.pooling.POOLED_VALUES", 2 * 5 * 3)
    np.testing.assert_array_equal(pool_frames(frames, num_frames, "mean_std_max"), whole)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    max_frames=st.integers(1, 14),
    kind=st.sampled_from([ramp, floats]),
)
def test_any_clips_are_cut_and_padded(counts, sizes, max_frames, kind):
    names = [f"feature{number}" for number in range(len(sizes))]
    lists = [
        {name: kind(7 * row + place, count, size) for place, (name, size) in enumerate(zip(names, sizes, strict=True))}
        for row, count in enumerate(counts)
    ]
    serialized = [frames_record({"id": f"{row}"}, [], each) for row, each in enumerate(lists)]
    buffer, ends = np.frombuffer(b"".join(serialized), np.uint8), np.cumsum([*map(len, serialized)])
    records = Records(buffer, ends - [*map(len, serialized)], ends)
    kinds = ",".join(len(sizes) * ["uint8" if kind is ramp else "float32"])
    data = DataConfig(feature_names=",".join(names), feature_sizes=",".join(map(str, sizes)), feature_types=kinds)
    rows = READERS.get("Youtube8mFrameReader")(dataclasses.replace(data, max_frames=max_frames)).parse(records)
    assert rows.num_frames.tolist() == [min(count, max_frames) for count in counts]
    for row, (count, each) in enumerate(zip(rows.num_frames, lists, strict=True)):
        wanted = np.concatenate([each[name][:count] for name in names], axis=1)
        np.testing.assert_array_equal(rows.features[row, :count], wanted)
        assert not rows.features[row, count:].any()


@pytest.mark.parametrize("pooling", ["mean", "mean_std_max"])
def test_no_frames_pool_to_zeros(pooling, open_family):
    family = FAMILIES["AudioSet"]
    rows = read(
        open_family(family, [[family.record(0, 0, [])]], frame_features=False, pooling=pooling, feature_sizes="6")
    )
    assert rows["features"].shape == (1, 6 if pooling == "mean" else 18)
    assert not rows["features"].any()


# Segments


def rated(number, labels, starts, scores, frames=12):
    lists = {"rgb": ramp(number, frames, 4), "audio": ramp(number, frames, 2)}
    ratings = {"segment_labels": labels, "segment_start_times": starts, "segment_scores": np.array(scores, np.float32)}
    return frames_record({"id": f"id{number}", **ratings}, [1], lists)


SEGMENT_FAMILY = FAMILIES["YouTube-8M segments"]


def test_each_rated_segment_is_a_clip(open_family):
    records = [rated(0, [7, 3, 7], [5, 0, 0], [1, 0, 1]), rated(1, [2], [10], [1])]
    rows = read(open_family(SEGMENT_FAMILY, [records], num_classes=8))
    assert rows["video_id"].tolist() == [b"id0", b"id0", b"id1"]
    assert rows["start_time"].tolist() == [0, 5, 10]
    assert rows["end_time"].tolist() == [5, 10, 15]
    assert [np.flatnonzero(each).tolist() for each in rows["label_weights"]] == [[3, 7], [7], [2]]
    assert [np.flatnonzero(each).tolist() for each in rows["labels"]] == [[7], [7], [2]]
    np.testing.assert_array_equal(rows["features"][1, :, :4], ramp(0, 12, 4)[5:10])
    assert rows["num_frames"].tolist() == [5, 5, 2]  # the third runs over the video's end
    np.testing.assert_array_equal(rows["features"][2, :2, 4:], ramp(1, 12, 2)[10:12])
    assert not rows["features"][2, 2:].any()


def test_without_ratings_segments_follow_one_another(open_family):
    lists = {"rgb": ramp(0, 12, 4), "audio": ramp(0, 12, 2)}
    records = [frames_record({"id": "a"}, [], lists), rated(1, [2], [3], [1])]
    rows = read(open_family(SEGMENT_FAMILY, [records], num_classes=8))
    assert rows["start_time"].tolist() == [0, 5, 10, 3]
    assert rows["num_frames"].tolist() == [5, 5, 2, 5]
    assert rows["label_weights"].sum(axis=1).tolist() == [0, 0, 0, 1]


def test_segments_of_another_size(open_family):
    rows = read(open_family(SEGMENT_FAMILY, [[rated(0, [7], [4], [1])]], segment_size=3, num_classes=8))
    np.testing.assert_array_equal(rows["features"][0, :, :4], ramp(0, 12, 4)[4:7])
    assert rows["end_time"].tolist() == [7]


def test_without_segment_labels_the_same_records_are_videos(open_family):
    clips = open_family(SEGMENT_FAMILY, [[rated(0, [7], [4], [1])]], segment_labels=False)
    assert clips.data.reader == "Youtube8mFrameReader"
    assert np.flatnonzero(read(clips)["labels"][0]).tolist() == [1]


def test_ratings_that_are_not_parallel_are_named(open_family):
    with pytest.raises(UserError, match="record 1: it holds 2 segment_labels, 1 segment_start_times and 1 segment_sc"):
        open_family(SEGMENT_FAMILY, [[rated(0, [7], [4], [1]), rated(1, [7, 6], [4], [1])]])


@pytest.mark.parametrize(
    ("labels", "starts", "why"),
    [([7], [-5], "its segment_start_times hold -5"), ([-1], [5], "its segment_labels hold -1")],
)
def test_ratings_that_count_from_below_0_are_named(labels, starts, why, open_family):
    with pytest.raises(UserError, match=f"record 1: {why}"):
        open_family(SEGMENT_FAMILY, [[rated(0, [7], [4], [1]), rated(1, labels, starts, [1])]])


@pytest.mark.parametrize(
    "settings", [{"reader": "Youtube8mFrameReader"}, {"reader": "Youtube8mSegmentReader", "segment_labels": False}]
)
def test_segment_labels_and_the_reader_must_fit(settings, open_family):
    with pytest.raises(UserError, match=r"--segment_labels (fits|must be given)"):
        open_family(SEGMENT_FAMILY, [[rated(0, [7], [4], [1])]], **settings)


def test_segments_from_memory_are_the_same(open_family):
    clips = open_family(SEGMENT_FAMILY, [[rated(0, [7, 3, 7], [5, 0, 0], [1, 0, 1]), rated(1, [2], [9], [1])]])
    streamed, in_memory = read(clips), read(clips.in_memory())
    for key, value in streamed.items():
        np.testing.assert_array_equal(value, in_memory[key])
