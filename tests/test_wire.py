"""Records parsed in NumPy hold what protobuf finds in them; what protobuf refuses is refused."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.wire import MalformedRecord, ParsedRecords

INTEGER = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 600)
FLOAT = st.floats(width=32, allow_nan=False)


def feature(value) -> tf.train.Feature:
    """A feature of bytes, or of a list of integers or floats."""
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if any(isinstance(each, float) for each in value):
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value))


def sequence(context: dict, lists: dict) -> bytes:
    """A serialised SequenceExample."""
    return tf.train.SequenceExample(
        context=tf.train.Features(feature={key: feature(value) for key, value in context.items()}),
        feature_lists=tf.train.FeatureLists(
            feature_list={key: tf.train.FeatureList(feature=map(feature, value)) for key, value in lists.items()}
        ),
    ).SerializeToString()


def field(tag: int, payload: bytes) -> bytes:
    """A field of the wire format, its length as a varint."""
    length, head = len(payload), [tag]
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*head, length]) + payload


def entry(key: str, value: bytes) -> bytes:
    return field(0x0A, field(0x0A, key.encode()) + field(0x12, value))


def parsed(*records: bytes, gap: bytes = b"\xff\xff", tail: bytes = b"", **kwargs) -> ParsedRecords:
    """Parses records that lie in one buffer, with other bytes between them."""
    lengths = np.array([len(each) for each in records], np.int64)
    starts = np.cumsum(lengths + len(gap)) - lengths
    buffer = np.frombuffer(b"".join(gap + each for each in records) + tail, np.uint8)
    return ParsedRecords(buffer, starts, starts + lengths, **kwargs)


def rows(ragged) -> list[list]:
    return [each.tolist() for each in np.split(ragged.values, np.cumsum(ragged.counts)[:-1])]


def frames_of(record: tf.train.SequenceExample, key: str, max_frames: int = 12) -> np.ndarray:
    """What protobuf finds in a feature list: uint8 [max_frames, D]."""
    found = [
        np.frombuffer(each.bytes_list.value[0], np.uint8) for each in record.feature_lists.feature_list[key].feature
    ]
    return np.pad(np.array(found[:max_frames]), [(0, max_frames - min(len(found), max_frames)), (0, 0)])


def bytes_frames(count: int, size: int, seed: int = 0) -> list[bytes]:
    return [np.random.default_rng([seed, number]).bytes(size) for number in range(count)]


@st.composite
def made_records(draw) -> bytes:
    """Features and feature lists in any order, packed or not, with keys missing and others there."""
    context = []
    if draw(st.booleans()):
        context.append(entry("video_id", feature(draw(st.binary(max_size=20))).SerializeToString()))
    if draw(st.booleans()):
        context.append(entry("id", feature(draw(st.binary(max_size=200))).SerializeToString()))
    for labels in draw(st.lists(st.lists(INTEGER, max_size=5), max_size=2)):
        varints = [tf.train.Int64List(value=[each]).SerializeToString()[2:] for each in labels]
        loose = b"".join(b"\x08" + each for each in varints)
        packed = field(0x0A, b"".join(varints))
        context.append(entry("labels", field(0x1A, draw(st.sampled_from([loose, packed])))))
    for floats in draw(st.lists(st.lists(FLOAT, max_size=4), max_size=2)):
        values = [np.float32(each).tobytes() for each in floats]
        loose = b"".join(b"\x0d" + each for each in values)
        context.append(entry("times", field(0x12, draw(st.sampled_from([loose, field(0x0A, b"".join(values))])))))
    if draw(st.booleans()):
        context.append(entry(draw(st.text(max_size=9)), draw(st.sampled_from([b"", b"\x0a\x00", b"\x12\x02\x0a\x00"]))))
    frames = draw(st.integers(0, 12))
    lists = [
        entry(key, b"".join(field(0x0A, feature(each).SerializeToString()) for each in bytes_frames(frames, size)))
        for key, size in (("rgb", 200), ("audio", 3))
    ]
    if draw(st.booleans()):
        lists.append(entry("more", field(0x0A, feature([1, 300]).SerializeToString()) * draw(st.integers(0, 3))))
    halves = [
        field(0x0A, b"".join(draw(st.permutations(context)))),
        field(0x12, b"".join(draw(st.permutations(lists)))),
    ]
    unknown = draw(st.sampled_from([b"", b"", b"", b"\x98\x06\x01"]))
    return b"".join(draw(st.sampled_from([halves, halves, halves[::-1]]))) + unknown


def same_as_protobuf(records: ParsedRecords, wanted: list[tf.train.SequenceExample]) -> None:
    """Compares all that is in the made records."""
    contexts = [each.context.feature for each in wanted]
    ids = [next((each[key].bytes_list.value[0] for key in ("video_id", "id") if key in each), b"") for each in contexts]
    assert records.strings("video_id", "id").tolist() == ids
    assert rows(records.integers("labels")) == [list(each["labels"].int64_list.value) for each in contexts]
    assert rows(records.floats("times")) == [list(each["times"].float_list.value) for each in contexts]
    features, num_frames = records.frames(["audio", "rgb"], [3, 200], ["uint8", "uint8"], 12)
    counts = [len(each.feature_lists.feature_list["audio"].feature) for each in wanted]
    assert num_frames.tolist() == records.num_frames("audio").tolist() == counts
    for row, each in enumerate(wanted):
        both = [frames_of(each, key) for key in ("audio", "rgb")] if counts[row] else [np.zeros((12, 203))]
        np.testing.assert_array_equal(features[row], np.concatenate(both, axis=1))


@settings(deadline=None, max_examples=200)
@given(st.lists(made_records(), min_size=1, max_size=8), st.sampled_from([b"", b"\xff" * 40]))
def test_made_records_hold_what_protobuf_finds(records, tail):
    same_as_protobuf(parsed(*records, tail=tail), [tf.train.SequenceExample.FromString(each) for each in records])


def audioset_like(seed: int) -> bytes:
    context = {"video_id": b"--PJHxphWEs", "labels": [0, 137, 451], "start_time_seconds": [30.0]}
    return sequence(context, {"audio_embedding": bytes_frames(seed % 4, 128, seed), "b": bytes_frames(2, 5, seed)})


def mutated(record: bytes, random: np.random.Generator) -> bytes:
    """Flips, cuts, inserts or repeats bytes, most of them in the heads of fields."""
    changed = bytearray(record)
    for _ in range(random.integers(1, 4)):
        reach = len(changed) if random.random() < 0.4 else min(len(changed), 180)
        at = int(random.integers(0, max(reach, 1)))
        kind = random.integers(0, 5)
        if kind == 0:
            changed[at : at + 1] = bytes([changed[at] ^ 1 << random.integers(0, 8)]) if changed else b""
        elif kind == 1:
            del changed[at : at + int(random.integers(1, 9))]
        elif kind == 2:
            changed[at:at] = random.bytes(random.integers(1, 4))
        elif kind == 3:
            changed[at : at + 1] = bytes([random.choice([0, 2, 8, 10, 13, 18, 26, 127, 128, 255])])
        else:
            del changed[at if random.random() < 0.2 else len(changed) :]
    return bytes(changed)


def found_in(records: ParsedRecords):
    """Everything in one record that the readers ask for."""
    features, num_frames = records.frames(["audio_embedding"], [128], ["uint8"], 2)
    return (
        records.strings("video_id")[0],
        records.integers("labels").values.tolist(),
        records.floats("start_time_seconds").values.tobytes(),
        num_frames[0],
        features[0].tobytes(),
    )


def protobuf_finds(record: tf.train.SequenceExample):
    context = record.context.feature
    strings = context["video_id"].bytes_list.value
    assert "audio_embedding" in record.feature_lists.feature_list
    frames = [b"".join(each.bytes_list.value) for each in record.feature_lists.feature_list["audio_embedding"].feature]
    return (
        strings[0] if strings else b"",
        list(context["labels"].int64_list.value),
        np.array(context["start_time_seconds"].float_list.value, "<f4").tobytes(),
        min(len(frames), 2),
        b"".join(frames[:2]).ljust(256, b"\0"),
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_mutated_record_is_refused_or_holds_what_protobuf_finds(seed):
    random, outcomes = np.random.default_rng(seed), {"refused": 0, "same": 0}
    for number in range(250):
        record = mutated(audioset_like(number), random)
        try:
            wanted = tf.train.SequenceExample.FromString(record)
        except Exception:
            wanted = None
        try:
            found = found_in(parsed(record, tail=random.bytes(random.integers(0, 30))))
        except MalformedRecord:
            outcomes["refused"] += 1
            continue
        assert wanted is not None, record
        assert found == protobuf_finds(wanted), record
        outcomes["same"] += 1
    assert min(outcomes.values()) > 20


def test_whatever_is_refused_is_refused_for_a_reason():
    random = np.random.default_rng(7)
    for number in range(600):
        record = mutated(audioset_like(number), random)
        try:
            wanted = protobuf_finds(tf.train.SequenceExample.FromString(record))
            found_in(parsed(record))
        except MalformedRecord as error:
            fits = "no tf.train" not in error.why
            assert fits, (record, wanted)
        except Exception:  # protobuf refuses it, or it has no such list
            continue


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_random_bytes(record):
    try:
        wanted = tf.train.SequenceExample.FromString(record)
    except Exception:
        with pytest.raises(MalformedRecord, match="it is no"):
            parsed(record).num_frames("rgb")
        return
    assert parsed(record).strings("id").tolist() == [b"".join(wanted.context.feature["id"].bytes_list.value)]


def test_all_records_of_audioset(audioset):
    paths = sorted(map(str, (audioset / "features" / "bal_train").glob("*.tfrecord")))
    serialized = list(tf.data.TFRecordDataset(paths).as_numpy_iterator())
    records = parsed(*serialized, gap=b"")
    features, num_frames = records.frames(["audio_embedding"], [128], ["uint8"], 10)
    ids, labels, times = (
        records.strings("video_id"),
        rows(records.integers("labels")),
        records.floats("end_time_seconds"),
    )
    assert len(ids) == len(serialized)
    for row, each in enumerate(map(tf.train.SequenceExample.FromString, serialized)):
        context = each.context.feature
        assert ids[row] == context["video_id"].bytes_list.value[0]
        assert labels[row] == context["labels"].int64_list.value
        assert times.values[row] == context["end_time_seconds"].float_list.value[0]
        frames = b"".join(
            frame.bytes_list.value[0] for frame in each.feature_lists.feature_list["audio_embedding"].feature
        )
        assert num_frames[row] * 128 == len(frames)
        assert features[row].tobytes() == frames.ljust(1280, b"\0")


def test_no_records():
    records = parsed()
    features, num_frames = records.frames(["rgb"], [2], ["uint8"], 3)
    assert (features.shape, num_frames.shape) == ((0, 3, 2), (0,))
    assert records.strings("id").shape == records.integers("labels").counts.shape == (0,)
    assert records.float_vectors("mean", 4).shape == (0, 4)


def test_a_record_without_context():
    record = sequence({}, {"audio_embedding": [b"\1\2", b"\3\4"]}).removeprefix(b"\x0a\x00")
    records = parsed(record, record)
    assert records.strings("video_id").tolist() == [b"", b""]
    assert records.integers("labels").counts.tolist() == [0, 0]
    features, num_frames = records.frames(["audio_embedding"], [2], ["uint8"], 3)
    assert features.tolist() == [[[1, 2], [3, 4], [0, 0]]] * 2
    assert num_frames.tolist() == [2, 2]


def test_the_last_of_two_entries_with_one_key_counts():
    context = entry("labels", feature([1, 2]).SerializeToString()) + entry("labels", feature([3]).SerializeToString())
    assert rows(parsed(field(0x0A, context)).integers("labels")) == [[3]]


@pytest.mark.parametrize("number", [0, 1, -1, 127, 128, 3861, 2**31, 2**62, 2**63 - 1, -(2**63)])
def test_integers_of_any_size(number):
    records = parsed(*(sequence({"labels": labels}, {}) for labels in ([number], [5, number, 6], [])))
    assert rows(records.integers("labels")) == [[number], [5, number, 6], []]


def test_many_keys():
    records = parsed(*(sequence({f"key {number:03}": [number], "k" * number: [1]}, {}) for number in range(300)))
    assert rows(records.integers("key 299"))[-1] == [299]
    assert records.integers("k" * 280).counts.nonzero()[0].tolist() == [280]


@pytest.mark.parametrize("size", [1, 40, 1024])
def test_float_vectors(size):
    wanted = np.random.default_rng(0).normal(size=(3, size)).astype(np.float32)
    examples = [
        tf.train.Example(features=tf.train.Features(feature={"id": feature(b"a"), "mean": feature(each.tolist())}))
        for each in wanted
    ]
    records = parsed(*(each.SerializeToString() for each in examples), message=tf.train.Example)
    np.testing.assert_array_equal(records.float_vectors("mean", size), wanted)
    assert records.strings("id").tolist() == [b"a"] * 3


@pytest.mark.parametrize(("num_frames", "max_frames"), [(5, 3), (3, 3), (2, 3), (0, 3), (300, 250), (300, 400)])
@pytest.mark.parametrize("size", [2, 1024])
def test_frames_are_cut_and_padded(num_frames, max_frames, size):
    frames = bytes_frames(num_frames, size)
    wanted = b"".join(frames[:max_frames]).ljust(max_frames * size, b"\0")
    out = np.full((2, max_frames, size), 9, np.uint8)
    records = parsed(*[sequence({}, {"rgb": frames})] * 2)
    features, counts = records.frames(["rgb"], [size], ["uint8"], max_frames, out)
    assert features is out
    assert [each.tobytes() for each in features] == [wanted, wanted]
    assert counts.tolist() == [min(num_frames, max_frames)] * 2
    assert counts.dtype == np.int32


def test_a_second_list_is_cut_or_padded_to_the_first():
    records = parsed(
        sequence({}, {"rgb": [b"\1", b"\2"], "audio": [b"\3"]}),
        sequence({}, {"rgb": [b"\1"], "audio": [b"\3", b"\4"]}),
    )
    features, num_frames = records.frames(["rgb", "audio"], [1, 1], ["uint8", "uint8"], 2)
    assert features.tolist() == [[[1, 3], [2, 0]], [[1, 3], [0, 0]]]
    assert num_frames.tolist() == [2, 1]


def test_bytes_beside_floats_are_dequantised():
    record = sequence({}, {"rgb": [[0.5, -1.5], [2.5, 0.0]], "audio": [b"\x00", b"\x80"]})
    features, num_frames = parsed(record).frames(["rgb", "audio"], [2, 1], ["float32", "uint8"], 3)
    np.testing.assert_allclose(features, [[[0.5, -1.5, -1.9921875], [2.5, 0.0, 0.0156556], [0, 0, 0]]], rtol=1e-5)
    assert features.dtype == np.float32
    assert num_frames.tolist() == [2]


GOOD = sequence({"labels": [1], "id": b"a", "mean": [0.5]}, {"rgb": [b"12", b"34"], "floats": [[1.5]]})


@pytest.mark.parametrize(
    ("bad", "ask", "why"),
    [
        (b"\xff", lambda records: records.num_frames("rgb"), "it is no tf.train.SequenceExample"),
        (GOOD[:-1], lambda records: records.num_frames("rgb"), "it is no tf.train.SequenceExample"),
        (b"", lambda records: records.num_frames("rgb"), "it has no feature list rgb"),
        (b"", lambda records: records.float_vectors("mean", 1), "it has no feature mean"),
        (
            sequence({"mean": [1.5, 2.5]}, {}),
            lambda records: records.float_vectors("mean", 1),
            "mean holds 2 floats, not 1",
        ),
        (
            sequence({"labels": b"x"}, {}),
            lambda records: records.integers("labels"),
            "labels holds strings, not integers",
        ),
        (sequence({"id": [3]}, {}), lambda records: records.strings("id"), "id holds integers, not one string"),
        (
            field(0x0A, entry("id", field(0x0A, field(0x0A, b"a") * 2))),
            lambda records: records.strings("id"),
            "id holds several strings, not one string",
        ),
        (
            sequence({}, {"rgb": [b"123"]}),
            lambda records: records.frames(["rgb"], [2], ["uint8"], 3),
            "rgb holds 3 bytes a frame, not 2",
        ),
        (
            sequence({}, {"rgb": [b"12", b"3"]}),
            lambda records: records.frames(["rgb"], [2], ["uint8"], 3),
            "the frames of rgb differ in kind or size",
        ),
        (
            sequence({}, {"rgb": [[1.5, 2.5]]}),
            lambda records: records.frames(["rgb"], [2], ["uint8"], 3),
            "rgb holds floats, not strings",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_malformed_record_is_named(bad, ask, why):
    with pytest.raises(MalformedRecord) as caught:
        ask(parsed(GOOD, GOOD, bad, GOOD, bad))
    assert (caught.value.number, caught.value.why) == (2, why)
    ask(parsed(GOOD))


@pytest.mark.parametrize("max_frames", [60, 30])
@pytest.mark.parametrize("size", [4, 100, 1024])
@pytest.mark.parametrize("number", [1, 59])
def test_one_frame_of_another_kind(number, size, max_frames):
    frames = [feature(each) for each in bytes_frames(60, size)]
    good = field(0x12, entry("rgb", tf.train.FeatureList(feature=frames).SerializeToString()))
    frames[number] = feature([0.5] * (size // 4))
    bad = field(0x12, entry("rgb", tf.train.FeatureList(feature=frames).SerializeToString()))
    assert len(good) == len(bad)
    with pytest.raises(MalformedRecord, match="record 2: the frames of rgb differ in kind or size"):
        parsed(good, good, bad, good).frames(["rgb"], [size], ["uint8"], max_frames)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x0a\x86\x00\x0a\x04\x0a\x02ab",  # a length with a byte too many
        b"\x0a\x09\x0a\x04\x0a\x02ab\x98\x06\x01",  # an unknown field
        b"\x0a\x0a\x12\x02\x0a\x00\x0a\x04\x0a\x02ab",  # floats, then a string: the last one counts
    ],
)
def test_a_frame_written_oddly_among_others(frame):
    plain = b"\x0a\x06\x0a\x04\x0a\x02ab"
    records = [field(0x12, entry("rgb", each)) for each in (plain * 3, plain + frame + plain, frame * 3, plain * 3)]
    features, num_frames = parsed(*records).frames(["rgb"], [2], ["uint8"], 3)
    assert features.tobytes() == b"ab" * 12
    assert num_frames.tolist() == [3, 3, 3, 3]


def test_a_wrong_size_everywhere_is_named():
    with pytest.raises(MalformedRecord, match="record 0: floats holds 1 floats a frame, not 128"):
        parsed(GOOD).frames(["floats"], [128], ["float32"], 3)


def test_records_outside_the_buffer():
    with pytest.raises(ValueError, match="in the buffer"):
        ParsedRecords(np.zeros(10, np.uint8), [0], [11])
