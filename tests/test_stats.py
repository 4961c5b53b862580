"""`python -m yt8m_audio stats`: counts of lists, strong labels and records, and what they miss."""

import json

import numpy as np
import pytest

from tests.audioset_lists import SEGMENTS, write_lists
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.audioset.clip_labels import ClipLabels, difference
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record


@pytest.fixture
def stats(tmp_path, capsys):
    """Runs the command; returns what it prints, JSON where --json is given."""
    path = write_lists(tmp_path)

    def stats(*flags: str, source: str = path):
        assert main_of_command(["yt8m_audio", "stats", source, f"--label_map={tmp_path / 'map.csv'}", *flags]) == 0
        said = capsys.readouterr().out
        return json.loads(said) if "--json" in flags else said

    return stats


def test_figures(stats):
    found = stats("--json")
    assert (found["kind"], found["clips"], found["ids"], found["labels"]) == ("segments", 5, 5, 8)
    assert found["labels_per_clip"] == {"least": 1, "median": 1, "mean": 1.6, "most": 3, "none": 0, "one": 3}
    assert (found["classes_seen"], found["num_classes"]) == (5, 5)
    assert found["seconds"]["usual"] == {"value": 10, "less": 2, "more": 0}
    assert found["seconds"]["sum"] == 45
    assert [row["clips"] for row in found["classes"]] == [1, 2, 2, 2, 1]


def test_pairs(stats):
    rows = stats("--json")["pairs"]
    assert [(row["name_a"], row["name_b"], row["clips"]) for row in rows] == [
        ("Animal", "Dog", 1),
        ("Animal", "Bark", 1),
        ("Dog", "Bark", 1),
        ("Bark", "Music", 1),
    ]
    assert (rows[0]["share_of_a"], rows[0]["share_of_b"], rows[0]["lift"]) == (1, 0.5, 2.5)


def test_the_table_fits(stats):
    said = stats("--top=2")
    assert max(map(len, said.splitlines())) <= max(80, len(said.splitlines()[0]))
    assert "5 of 5 ids" in said
    assert "Heard together" in said


def test_what_a_list_misses(stats, tmp_path):
    kept = {name: SEGMENTS[name] for name in "ac"} | {"z": SEGMENTS["a"], "b": (5, 15, ["/m/bark"])}
    (tmp_path / "have").mkdir()
    found = stats("--json", f"--against={tmp_path / 's.csv'}", source=write_lists(tmp_path / "have", kept))
    assert found["against"] == {"clips": 5, "missing": 2, "extra": 1, "relabelled": 1, "moved": 1}
    assert [row["missing"] for row in found["classes"]] == [1, 1, 1, 0, 1]
    assert [row["official"] for row in found["classes"]] == [1, 2, 2, 2, 1]


def test_tables_and_plots_are_written(stats, tmp_path):
    (tmp_path / "have").mkdir()
    path = write_lists(tmp_path / "have", {"a": SEGMENTS["a"]})
    stats(f"--csv={tmp_path / 'csv'}", f"--plots={tmp_path / 'plots'}", f"--against={tmp_path / 's.csv'}", source=path)
    assert (tmp_path / "csv" / "missing_ids.txt").read_text() == "b\nc\nd\n-e\n"
    assert (tmp_path / "csv" / "classes.csv").read_text().splitlines()[:2] == [
        "index,mid,display_name,clips,share,official,missing",
        "0,/m/animal,Animal,0,0,1,1",
    ]
    assert (tmp_path / "csv" / "durations.csv").read_text() == "seconds,count\n10,1\n"
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {f"{name}.png" for name in ("classes", "labels_per_clip", "durations", "pairs", "missing")}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (tmp_path / "plots").iterdir())


def test_strong_labels(stats, tmp_path):
    lines = ["a_0\t0.000\t4.000\t/m/dog", "a_0\t5.000\t6.000\t/m/dog", "a_30000\t1.000\t2.000\t/m/new"]
    (tmp_path / "s.tsv").write_text("\n".join(["segment_id\tstart_time_seconds\tend_time_seconds\tlabel", *lines, ""]))
    found = stats("--json", source=str(tmp_path / "s.tsv"))
    assert (found["clips"], found["ids"], found["labels"]) == (2, 1, 2)
    assert found["seconds"]["usual"] == {"value": 1, "less": 0, "more": 1}
    assert [(row["display_name"], row["clips"]) for row in found["classes"]] == [("Dog", 1), ("/m/new", 1)]
    with pytest.raises(UserError, match="strong labels have other classes"):
        stats(f"--against={tmp_path / 's.csv'}", source=str(tmp_path / "s.tsv"))


def test_records(stats, shard, tmp_path):
    frames = np.zeros((10, 128), np.uint8)
    labels = {"a": [1], "b": [2, 2], "c": [], "z": [0, 4]}
    shard([audioset_record(name, each, frames, 30.0 if name == "c" else 0.0) for name, each in labels.items()])
    found = stats("--json", f"--against={tmp_path / 's.csv'}", source=f"{tmp_path}/*.tfrecord")
    assert (found["kind"], found["clips"], found["labels"]) == ("clips", 4, 4)
    assert found["labels_per_clip"]["none"] == 1
    assert found["against"] == {"clips": 5, "missing": 2, "extra": 1, "relabelled": 2, "moved": 0}
    assert "seconds" not in found


def test_ids_with_several_segments_are_told_apart_by_their_times():
    def clips(*rows):  # id, milliseconds, label
        ids, times, values = zip(*rows, strict=True)
        places = np.arange(len(rows))
        return ClipLabels.of(np.array(ids, object), np.array(times), places, np.array(values), 3)

    official = clips((b"a", 0, 0), (b"a", 10, 1), (b"b", 0, 2), (b"a", 20, 1))
    found = difference(clips((b"a", 10, 1), (b"a", 20, 0), (b"a", 30, 1)), official)
    assert (found.missing.tolist(), found.extra.tolist()) == ([0, 2], [2])
    assert (found.relabelled.tolist(), found.moved.tolist()) == ([1], [])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none.csv", "none.csv cannot be read as a list of segments: No such file"),
        ("none/*.tfrecord", "none/*.tfrecord matches no file"),
        ("none.tsv", "none.tsv cannot be read as strong labels"),
    ],
)
def test_sources_that_are_not_there(source, said, stats):
    with pytest.raises(UserError) as error:
        stats(source=source)
    assert str(error.value).startswith(said)


def test_the_released_training_clips_are_none_of_the_test_list(audioset, capsys):
    pattern, path = audioset / "features" / "bal_train" / "-*.tfrecord", audioset / "metadata" / "eval_segments.csv"
    assert main_of_command(["yt8m_audio", "stats", str(pattern), f"--against={path}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["against"] == {
        "clips": 20_371,
        "missing": 20_371,
        "extra": found["clips"],
        "relabelled": 0,
        "moved": 0,
    }
