"""inference.py over windows of long recordings, and over the segments of 2019's challenge."""

import csv

import numpy as np
import pytest

from tests.test_scripts import data, error_of, predict, trained  # noqa: F401  fixtures
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard

FRAMES = np.random.default_rng(0).integers(0, 256, (23, 128), np.uint8)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A recording of 23 seconds, longer than the clips that the run was trained on, one of 4, and one of none."""
    folder = tmp_path_factory.mktemp("recordings")
    lengths = {"-long": 23, "short": 4, "none": 0}
    records = [audioset_record(name, [0], FRAMES[:count]) for name, count in lengths.items()]
    write_shard(str(folder / "eval0.tfrecord"), records)
    return folder


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_windows_over_recordings(trained, recordings, tmp_path):  # noqa: F811
    path = tmp_path / "t.csv"
    flags = ("--window=10", "--hop=5", "--output=timeline", "--top_k=1", "--batch_size=4")
    assert predict(trained, recordings, path, *flags) == 0
    assert [row[:3] for row in rows_of(path)] == [
        ["-long", "0.000", "10.000"],
        ["-long", "5.000", "15.000"],
        ["-long", "10.000", "20.000"],
        ["-long", "15.000", "23.000"],
        ["short", "0.000", "4.000"],
        ["none", "0.000", "0.000"],
    ]


def test_a_window_is_predicted_as_a_clip_of_its_frames(trained, recordings, tmp_path):  # noqa: F811
    cut = [audioset_record(f"c{begin}", [0], FRAMES[begin : begin + 10]) for begin in (0, 10, 20)]
    write_shard(str(tmp_path / "eval0.tfrecord"), cut)
    for folder, flags in ((recordings, ["--window=10"]), (tmp_path, [])):
        assert predict(trained, folder, tmp_path / f"{len(flags)}.csv", *flags) == 0
    windows, clips = (rows_of(tmp_path / f"{number}.csv") for number in (1, 0))
    assert [row[0] for row in windows] == ["-long:0", "-long:10", "-long:20", "short:0", "none:0"]
    assert [row[1] for row in windows[:3]] == [row[1] for row in clips]


def test_label_tracks_of_windows(trained, recordings, tmp_path):  # noqa: F811
    folder = tmp_path / "tracks"
    assert predict(trained, recordings, folder, "--window=10", "--output=audacity", "--top_k=1") == 0
    assert sorted(path.name for path in folder.iterdir()) == ["%2Dlong.txt", "none.txt", "short.txt"]
    assert len((folder / "%2Dlong.txt").read_text().splitlines()) == 3


def test_segments_of_the_challenge(trained, recordings, tmp_path):  # noqa: F811
    ids, path = tmp_path / "ids.csv", tmp_path / "s.csv"
    ids.write_text("Index\n2\n0\n")
    flags = ("--segment_labels", f"--segment_label_ids_file={ids}", "--segment_max_pred=3")
    assert predict(trained, recordings, path, *flags) == 0
    rows = rows_of(path)
    assert [row[0] for row in rows] == ["0", "2"]
    assert all(len(set(row[1].split())) == 3 for row in rows)
    known = {"-long:0", "-long:5", "-long:10", "-long:15", "-long:20", "short:0"}
    assert all(set(row[1].split()) <= known for row in rows)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--window=0.5",), "--window=0.5 must be a whole number of seconds"),
        (("--hop=5",), "--hop=5 needs --window"),
        (("--segment_labels", "--window=5"), "leave --window and --hop away"),
        (("--segment_label_ids_file=i.csv",), "--segment_label_ids_file says which classes --segment_labels ranks"),
        (("--segment_labels", "--segment_label_ids_file=https://x/i.csv"), "is on the web"),
        (("--segment_labels", "--output=scores"), "leave --output=scores out"),
        (("--segment_labels", "--segment_max_pred=0"), "--segment_max_pred=0 must be at least 1"),
    ],
)
def test_what_cannot_be_is_told(flags, said, trained, recordings, tmp_path, capsys):  # noqa: F811
    assert predict(trained, recordings, tmp_path / "p.csv", *flags) == 2
    assert said in error_of(capsys)
    assert not list(tmp_path.iterdir())
