"""inspect: what it counts on made records of each family, what it names that is broken, and the flags it gives."""

import gzip
import json
import shlex

import numpy as np
import pytest
import tensorflow as tf

from readers import open_clips
from readers.repacking import repack_arrays
from readers.survey import Histogram, num_classes_for, survey
from yt8m_audio import flags
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.config import DataConfig
from yt8m_audio.examples import audioset_record, frames_record, video_record

FRAMES = np.arange(3 * 128, dtype=np.uint8).reshape(3, 128)
RGB = np.zeros((3, 1024), np.uint8)
RATED = {"segment_labels": [7, 9, 9], "segment_start_times": [0, 0, 5], "segment_scores": [1.0, 0.0, 1.0]}
MEDIAPIPE = frames_record({"clip/data_path": "a.mp4"}, [], {"AUDIO/feature/floats": np.ones((2, 128), np.float32)})
VGGISH = tf.train.SequenceExample.FromString(audioset_record("", [], FRAMES))
VGGISH.context.Clear()


def inspect(*arguments):
    """Runs the command as it is typed; returns the exit status."""
    with pytest.raises(SystemExit) as exit_info:
        flags.run(main_of_command, ["yt8m_audio", "inspect", *map(str, arguments)])
    return exit_info.value.code


def youtube8m(labels, **context):
    return frames_record({"id": "abcd", **context}, labels, {"rgb": RGB, "audio": FRAMES})


def flags_of(report):
    return shlex.split(report["flags"])


def test_what_a_data_set_holds(shard):
    labels = [[0, 137], [137, 137], []]
    shard([audioset_record(f"aa{i}", each, FRAMES[: i + 1]) for i, each in enumerate(labels)], "aa.tfrecord")
    report = survey(shard([audioset_record("bb", [1], FRAMES)], "bb.tfrecord").replace("bb.", "*."))
    assert (report["clips"], report["shards"], report["family"]) == (4, 2, "audioset_frames")
    assert report["frames"] == {"least": 1, "median": 2.5, "mean": 2.25, "most": 3}
    assert report["labels_per_clip"] == {"least": 0, "median": 1.5, "mean": 1.25, "most": 2, "none": 1}
    assert report["classes"]["counts"] == {0: 1, 1: 1, 137: 2}
    assert report["classes"]["most_frequent"][0] == {"index": 137, "name": "Music", "clips": 2}
    assert (report["classes"]["seen"], report["classes"]["never"]) == (3, 524)
    assert report["keys"]["feature_lists"] == {"audio_embedding": "bytes"}
    assert report["keys"]["context"]["labels"] == "int64"
    assert report["notes"] == []


@pytest.mark.parametrize(
    ("record", "family", "wanted"),
    [
        (audioset_record("a", [5], FRAMES), "audioset_frames", "--feature_names=audio_embedding --feature_sizes=128"),
        (youtube8m([5]), "youtube8m_frames", "--feature_names=rgb,audio --feature_sizes=1024,128 --num_classes=3862"),
        (youtube8m([4000]), "youtube8m_frames", "--num_classes=4716 --frame_features --model=LstmModel"),
        (youtube8m([5], **RATED), "youtube8m_frames", "--segment_labels --frame_features"),
        (video_record({"id": "a"}, [5], {"mean_audio": FRAMES[0]}), "youtube8m_videos", "--model=MoeModel"),
        (MEDIAPIPE, "mediapipe_features", "--feature_types=float32"),
        (VGGISH.SerializeToString(), "vggish_frames", "--feature_names=audio_embedding"),
    ],
    ids=["audioset", "youtube8m", "2017", "segments", "videos", "mediapipe", "vggish"],
)
def test_each_family_is_told_with_flags_that_open_it(record, family, wanted, shard):
    path = shard([record])
    report = survey(path)
    assert report["family"] == family
    assert wanted in report["flags"]
    names = {"feature_names", "feature_sizes", "feature_types", "num_classes", "segment_labels", "frame_features"}
    pairs = [flag.removeprefix("--").partition("=") for flag in flags_of(report)]
    settings = {name: {"": True}.get(value, value) for name, _, value in pairs if name in names}
    clips = open_clips(path, "train_data_pattern", DataConfig(**{**settings, "num_classes": 5000}))
    assert len(clips) == (2 if "segments" in wanted or "segment_labels" in settings else 1)


def test_a_bare_file_is_read(tmp_path):
    (tmp_path / "features.pb").write_bytes(MEDIAPIPE)
    report = survey(f"{tmp_path}/*.pb")
    assert (report["family"], report["clips"], report["frames"]["most"]) == ("mediapipe_features", 1, 2)


def test_rated_segments_are_counted(shard):
    report = survey(shard([youtube8m([1], **RATED), youtube8m([2])]))
    assert report["segments"] == {"rated": 2, "ratings": 3, "true": 2}
    assert report["clips"] == 2


def test_what_is_broken_is_counted_and_named_and_the_rest_is_read(shard, flip_bit, tmp_path, capsys):
    for name in ("aa", "bb", "cc"):
        shard(3, f"{name}.tfrecord")
    shard([audioset_record("a", [0], FRAMES), audioset_record("b", [0], FRAMES[:, :5])], "dd.tfrecord")
    content = (tmp_path / "aa.tfrecord").read_bytes()
    (tmp_path / "aa.tfrecord").write_bytes(content[: len(content) // 3 + 20])
    flip_bit(f"{tmp_path}/bb.tfrecord", -100)
    (tmp_path / "ee.tfrecord").write_bytes(b"")
    (tmp_path / "ff.tfrecord").write_bytes(b"\x1f\x8b compressed")
    (tmp_path / "gg.tfrecord").write_bytes(b"nothing of the kind")
    assert inspect(f"{tmp_path}/*.tfrecord", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    corrupt = report["corrupt"]
    assert {name: each["count"] for name, each in corrupt.items()} == {
        "unreadable": 1,
        "empty": 1,
        "cut": 2,
        "checksum": 1,
        "malformed": 1,
    }
    assert corrupt["cut"]["first"] == [
        f"{tmp_path}/aa.tfrecord: cut behind 1 whole records",
        f"{tmp_path}/gg.tfrecord: no TFRecord",
    ]
    assert corrupt["checksum"]["first"] == [f"{tmp_path}/bb.tfrecord, record 2"]
    assert corrupt["malformed"]["first"][0].startswith(f"{tmp_path}/dd.tfrecord, record 1: audio_embedding")
    assert (report["clips"], report["shards"]) == (1 + 2 + 3 + 1, 6)
    assert "--skip_corrupt_records" in report["flags"]


def test_records_that_do_not_parse_are_found_among_many(shard):
    good, bad = audioset_record("a", [0], FRAMES), b"\x0a\xff\xff\xff\xff\xff"
    report = survey(shard([bad if i % 7 == 3 else good for i in range(30)]))
    assert (report["clips"], report["corrupt"]["malformed"]["count"]) == (26, 4)


def test_records_of_no_family_are_told_by_their_keys(shard):
    report = survey(shard([video_record({"id": "a"}, [1], {})]))
    assert (report["family"], report["clips"], report["flags"]) == ("unknown", 1, "")
    assert "no known family" in report["notes"][-1]


def test_ids_that_come_again_are_named(shard):
    report = survey(shard([audioset_record(video_id, [0], FRAMES) for video_id in ("a", "b", "a", "a")]))
    assert report["ids"] == {"missing": 0, "repeated": {"count": 2, "first": ["a", "a"]}}


def test_shards_that_hold_other_ids_than_they_are_named_after(shard):
    for name, video_id in (("-a", "-abc"), ("_A", "_Abc"), ("Xy", "xybc")):
        path = shard([audioset_record(video_id, [0], FRAMES)], f"{name}.tfrecord")
    report = survey(path.replace("Xy", "*"))
    assert report["misnamed_shards"] == {"count": 1, "first": [path]}


def test_names_are_not_judged_where_most_do_not_fit(shard):
    shard([audioset_record("zzz", [0], FRAMES)], "zz.tfrecord")
    report = survey(shard([audioset_record("abc", [0], FRAMES)], "00.tfrecord").replace("00", "*"))
    assert report["misnamed_shards"]["count"] == 0


def test_labels_out_of_range_are_noted(shard):
    report = survey(shard([audioset_record("a", [-1, 3, 1 << 40], FRAMES)]))
    assert report["classes"]["num_classes"] == 527
    assert report["classes"]["out_of_range"] == {"count": 2, "first": [-1, 1 << 40]}
    assert "2 labels are no class in 0 to 526: -1, 1099511627776" in report["notes"][0]


def test_a_label_map_names_the_classes(shard, tmp_path):
    (tmp_path / "names.csv").write_text("index,mid,display_name\n0,/a,Bell\n1,/b,Horn\n")
    report = survey(shard([audioset_record("a", [1], FRAMES)]), str(tmp_path / "names.csv"))
    assert report["classes"]["most_frequent"] == [{"index": 1, "name": "Horn", "clips": 1}]
    assert "--num_classes=2" in report["flags"]


@pytest.mark.parametrize(
    ("default", "largest", "wanted"),
    [(527, 526, 527), (3862, 3861, 3862), (3862, 3862, 4716), (3862, 4716, 4800), (3862, 9000, 9001)],
)
def test_the_number_of_classes(default, largest, wanted):
    assert num_classes_for(default, largest) == wanted


@pytest.mark.parametrize("values", [[3], [1, 2], [5, 1, 1, 2], [7, 0, 0]])
def test_a_histogram_is_summed_up(values):
    histogram = Histogram()
    for value in values:
        histogram.add(np.array([value]))
    assert histogram.summary() == {
        "least": min(values),
        "median": np.median(values),
        "mean": round(np.mean(values), 2),
        "most": max(values),
    }


def test_what_a_file_system_without_case_leaves_is_told(tmp_path):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
    for name in (first + second for first in letters for second in letters):
        (tmp_path / f"{name}.tfrecord").write_bytes(b"\0" * 20)
    assert "1,444 shards, no two of which differ by case alone" in survey(f"{tmp_path}/*.tfrecord")["notes"][-1]


def test_a_packed_folder_is_told_too(shard, tmp_path, capsys):
    repack_arrays(shard(3), str(tmp_path / "packed"), DataConfig())
    assert inspect(tmp_path / "packed") == 0
    said = capsys.readouterr().out
    assert "3 in one array" in said
    assert f"--train_data_pattern='{tmp_path}/packed' --feature_names=audio_embedding" in said


def test_the_table_shows_brackets_of_a_glob(shard, capsys):
    assert inspect(shard(2).replace("00", "[0]0")) == 0
    said = capsys.readouterr().out
    assert "[0]0.tfrecord" in said
    assert "0 Speech" in said
    assert "python train.py --train_data_pattern=" in said


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], "PATTERN is missing. Usage: python -m yt8m_audio inspect PATTERN"),
        (["/nowhere/*.tfrecord"], "error: /nowhere/*.tfrecord matches no file"),
        ([__file__, __file__], "put the glob in quotes"),
        (["a", "/nowhere"], "/nowhere is one argument too many"),
        ([__file__, "--label_map=/nowhere.csv"], "--label_map=/nowhere.csv"),
    ],
)
def test_a_mistake_gets_one_line(arguments, wanted, capsys):
    assert inspect(*arguments) == 2
    said = capsys.readouterr().err
    assert wanted in said
    assert said.count("\n") == 1


def test_help_begins_with_how_it_is_called(capsys):
    assert inspect("--help") == 0
    assert capsys.readouterr().out.startswith("Usage: python -m yt8m_audio inspect PATTERN [--flag=value ...]\n")


def test_audioset(audioset):
    report = survey(f"{audioset}/features/bal_train/*.tfrecord")
    assert (report["clips"], report["shards"]) == (22_160, 4_070)
    assert report["frames"]["most"] == 10
    assert report["classes"]["never"] == 0
    assert sum(each["count"] for each in report["corrupt"].values()) == 0
    assert report["misnamed_shards"]["count"] == 0
    assert report["notes"] == []


@pytest.mark.parametrize(
    "content", [b"index,mid,display_name\n0,/m/09x0r,Speech\n", gzip.compress(b"records")], ids=["csv", "gzip"]
)
def test_what_is_no_record_at_all_is_an_error_behind_the_report(tmp_path, capsys, content):
    (tmp_path / "a.csv").write_bytes(content)
    assert inspect(f"{tmp_path}/a.csv") == 2
    said = capsys.readouterr()
    assert said.err == f"error: {tmp_path}/a.csv holds no clip that can be read: give a glob of TFRecord files.\n"
    assert "corrupt" in said.out


def test_long_clips_need_their_number_of_frames(shard):
    frames = np.zeros((12, 4), np.uint8)
    report = survey(shard([audioset_record("a", [1], frames[:3]), audioset_record("b", [1], frames)]))
    assert "--max_frames=12" in flags_of(report)
