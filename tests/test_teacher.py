"""Teachers: from a file of predictions to batches."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.commands.assemble import check_learning
from yt8m_audio.config import Config, DataConfig, TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.predicted import Predicted
from yt8m_audio.training import teacher as teachers
from yt8m_audio.training.teacher import read_teacher

HEADER = "VideoId,LabelConfidencePairs\n"


@pytest.fixture
def read(tmp_path):
    """Reads a file of that content as the predictions of four classes."""

    def from_content(content):
        (tmp_path / "p.csv").write_text(content)
        return read_teacher(str(tmp_path / "p.csv"), num_classes=4)

    return from_content


def joined(teacher, video_ids, weight=0.5):
    batch = {"video_id": np.array(video_ids, object), "labels": np.zeros((len(video_ids), 4), np.uint8)}
    return next(iter(teacher.join(tf.data.Dataset.from_tensors(batch), weight)))


def test_probabilities_join_their_clips(read):
    teacher = read(f"{HEADER}b,3 0.5 0 0.25\n-a,1 1\n")
    batch = joined(teacher, [b"-a", b"unknown", b"b", b""])
    np.testing.assert_array_equal(batch["teacher"], [[0, 1, 0, 0], [0, 0, 0, 0], [0.25, 0, 0, 0.5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(batch["teacher_weights"], [0.5, 0, 0.5, 0])
    assert batch.keys() == {"labels", "teacher", "teacher_weights"}
    assert (batch["teacher"].shape, batch["teacher"].dtype) == ((4, 4), tf.float32)


def test_what_inference_writes_is_read(tmp_path):
    path, names = tmp_path / "p.csv", ["Speech, loud", "B", "C", "D"]
    ids = np.array([b"NA", b"007", b'a,"b"'], object)
    classes = np.array([[3, 0], [1, 2], [0, 1]])
    scores = np.array([[0.75, 1e-7], [1, 0], [0.5, 0.25]], "float32")
    output, times = LabelsCsv(names), np.zeros(3, "float32")
    path.write_bytes(output.header() + output.rows(Predicted(ids, times, times, classes, scores)))
    teacher = read_teacher(str(path), num_classes=4)
    assert teacher.video_ids.tolist() == ids.tolist()
    np.testing.assert_array_equal(teacher.classes, classes)
    np.testing.assert_allclose(teacher.probabilities, scores, rtol=1e-6)


def test_lines_are_read_some_at_a_time(read, monkeypatch):
    monkeypatch.setattr(teachers, "LINES_AT_A_TIME", 2)
    teacher = read(f"{HEADER}a,0 1\nb,1 1\nc,2 1 0 0.5 3 0.25\nd,3 1\ne,0 1 1 1\n")
    assert teacher.classes.tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 3], [3, 0, 0], [0, 1, 0]]
    assert teacher.probabilities.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0.5, 0.25], [1, 0, 0], [1, 1, 0]]
    with pytest.raises(UserError, match="line 6: "):
        read(f"{HEADER}a,0 1\nb,1 1\nc,2 1\nd,3 1\ne,4 1\n")


def test_only_some_clips(read):
    teacher = read(f"{HEADER}a,0 1\nb,1 1\nc,2 1\n").only(np.array([b"c", b"x", b"a"], object))
    assert len(teacher) == 2
    batch = joined(teacher, [b"a", b"b", b"c"])
    np.testing.assert_array_equal(batch["teacher"], [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]])
    assert len(teacher.only(np.array([b"x"], object))) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("b,4 0.5", "a class that is not in 0 to 3 in '4 0.5'"),
        ("b,-1 0.5", "a class that is not in 0 to 3"),
        ("b,1.5 0.5", "a class that is not in 0 to 3"),
        ("b,1 1.5", "a probability that is not in 0 to 1 in '1 1.5'"),
        ("b,1 -0.5", "a probability that is not in 0 to 1"),
        ("b,1 0.5 2", "no pairs of a class and a probability in '1 0.5 2'"),
        ("b,1 nan", "not all are numbers in '1 nan'"),
        ("b,1  0.5", "no pairs of a class and a probability"),
        ("b,", "no pairs of a class and a probability"),
        ("b", "no pairs of a class and a probability"),
        ("", "no pairs of a class and a probability"),
        ("b,1 0.5 1 0.25", "a class that comes twice"),
        ("b,1 half", "not all are numbers in '1 half'"),
        ("a,1 0.5", "the clip a is on an earlier line too"),
        ("b,1 0.5,2 0.25", "saw 3"),
    ],
)
def test_a_malformed_line_is_named(line, said, read, tmp_path):
    with pytest.raises(UserError, match=f"--teacher={tmp_path}/p.csv.*line 3.*({said})"):
        read(f"{HEADER}a,0 1\n{line}\nc,0 1\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read as a CSV"),
        (HEADER, "holds no predictions"),
        ("Class,Segments\n0,a:5\n", "needs the columns VideoId and LabelConfidencePairs.* found Class, Segments"),
        (f"Class,{' '.join(['0.1'] * 1000)}\n0,a\n", r"found Class, 0.1[ 0.1]{40,60}\.\.\.\.$"),
        (f"{HEADER}a,0 1,1 1\n", "line 2: it has more cells than the header"),
    ],
)
def test_a_file_of_something_else(content, said, read):
    with pytest.raises(UserError, match=said):
        read(content)


def test_segments_have_no_teacher():
    train = TrainConfig(teacher="p.csv", loss_hyper_parameters={"class_weights": None})
    with pytest.raises(UserError, match=r"--teacher=p.csv: segments cannot be taught"):
        check_learning(Config(DataConfig(segment_labels=True), train=train))


def test_a_file_that_is_not_there():
    with pytest.raises(UserError, match=r"--teacher=/nowhere.csv cannot be read as a CSV"):
        read_teacher("/nowhere.csv", num_classes=4)
