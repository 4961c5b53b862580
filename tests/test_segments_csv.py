"""AudioSet's own files: lists of segments, ids of classes, quality of labels."""

import numpy as np
import pytest

from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.label_quality import read_label_quality
from yt8m_audio.audioset.segments import read_segments
from yt8m_audio.errors import UserError

IDS = ("/m/09x0r", "/t/dd00088", "/m/012xff")
NAMES = ("Speech", "Gush", "Toothbrush")
COMMENTS = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n# num_ytids=2\n# YTID, start_seconds, end_seconds, labels\n"
)
LINES = '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"\nNA, 0.500, 7.250, "/m/012xff"\n'


@pytest.fixture
def written(tmp_path):
    """Writes a CSV; returns its path."""

    def write(content):
        (tmp_path / "s.csv").write_text(content)
        return str(tmp_path / "s.csv")

    return write


@pytest.mark.parametrize("content", [COMMENTS + LINES, LINES, COMMENTS + LINES + "\n"])
def test_a_list_of_segments(content, written):
    found = read_segments(written(content), IDS, "eval_data_pattern")
    assert found.video_ids.tolist() == [b"--PJHxphWEs", b"NA"]
    assert found.start_times.tolist() == [30, 0.5]
    assert found.end_times.tolist() == [40, 7.25]
    assert found.label_values.tolist() == [0, 1, 2]
    assert found.label_counts.tolist() == [2, 1]


def test_a_segment_without_labels(written):
    found = read_segments(written('a, 0, 10, ""\nb, 0, 10, "/m/012xff"\n'), IDS, "eval_data_pattern")
    assert found.label_counts.tolist() == [0, 1]
    assert found.label_values.tolist() == [2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read as a list of segments: it is empty."),
        ("a, 0\n", "is no list of AudioSet's segments"),
        (COMMENTS + LINES + 'c, 0, 10, "/m/0nowhere"\n', "line 6: /m/0nowhere is no class"),
        (COMMENTS + LINES + 'c, 0, 10, "/m/09x0r,"\n', "line 6: an empty label is no class"),
        (COMMENTS + 'c, zero, 10, "/m/09x0r"\n', "line 4: 'zero' is no time in seconds"),
    ],
)
def test_a_mistake_names_the_line(content, said, written):
    with pytest.raises(UserError, match=r"--eval_data_pattern=.*s\.csv") as error:
        read_segments(written(content), IDS, "eval_data_pattern")
    assert said in str(error.value)


def test_classes_without_ids_are_told(written):
    with pytest.raises(UserError, match="give a --label_map with the columns index, mid"):
        read_segments(written(LINES), (), "eval_data_pattern")


@pytest.mark.parametrize(
    ("name", "segments", "labels", "first"),
    [
        ("balanced_train_segments.csv", 22_160, 52_882, b"--PJHxphWEs"),
        ("eval_segments.csv", 20_371, 51_804, b"--4gqARaEJE"),
    ],
)
def test_the_official_lists(name, segments, labels, first, audioset):
    found = read_segments(str(audioset / "metadata" / name), class_ids_for("", 527), "eval_data_pattern")
    assert (len(found), len(found.label_values), found.video_ids[0]) == (segments, labels, first)
    assert found.label_values.max() == 526
    assert len(set(found.video_ids)) == segments


def test_ids_of_classes(tmp_path):
    assert class_ids_for("", 527)[:2] == ("/m/09x0r", "/m/05zppz")
    assert class_ids_for("", 5) == ()
    (tmp_path / "names.csv").write_text("index,display_name\n0,a\n")
    assert class_ids_for(str(tmp_path / "names.csv"), 1) == ()
    (tmp_path / "ids.csv").write_text("index,mid,display_name\n1,/m/b,b\n0,/m/a,a\n")
    assert class_ids_for(str(tmp_path / "ids.csv"), 2) == ("/m/a", "/m/b")
    with pytest.raises(UserError, match=r"--label_map=.*ids\.csv names 2 classes"):
        class_ids_for(str(tmp_path / "ids.csv"), 3)


@pytest.mark.parametrize(
    "content",
    [
        "label,num_rated,num_true\n/m/012xff,4,3\n/m/09x0r,10,10\n/m/elsewhere,1,1\n/t/dd00088,0,0\n",
        "label_id, num_rated, num_true\nToothbrush, 4, 3\nSpeech, 10, 10\n",
        "# display_name,num_true,num_rated\nToothbrush,3,4\nSpeech,10,10\n",
    ],
)
def test_quality_of_labels(content, written):
    found = read_label_quality(written(content), IDS, NAMES)
    np.testing.assert_array_equal(found, [1, np.nan, 0.75])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read as a CSV: it is empty."),
        ("label,count\na,1\n", "needs the columns label, num_rated and num_true; found label, count"),
        ("label,num_rated,num_true\n/m/elsewhere,1,1\n", "names none of the 3 classes, such as Speech"),
    ],
)
def test_a_mistake_in_quality_gets_one_line(content, said, written):
    with pytest.raises(UserError, match="--label_quality=") as error:
        read_label_quality(written(content), IDS, NAMES)
    assert said in str(error.value)
