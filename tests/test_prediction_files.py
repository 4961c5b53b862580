"""Files of predictions, from any system: what is read of them, and what each mistake gets."""

import gzip
import json
import sys
import tracemalloc

import numpy as np
import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.prediction_files import is_prediction_file, read_predictions
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.predicted import Predicted

HEADER = "VideoId,LabelConfidencePairs\n"
ODD_IDS = [b"-abc", b"a,b", b'say "x"', b"two\nlines", b"\xff\xfe", b"NA", b"#1"]


@pytest.fixture
def written(tmp_path):
    """Writes a file of predictions; returns its path."""

    def write(content, name="p.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.fixture
def parquet(tmp_path):
    """Writes columns as Parquet; returns the path."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(columns, **types):
        table = pa.table({name: pa.array(each, types.get(name)) for name, each in columns.items()})
        parquet.write_table(table, tmp_path / "p.parquet")
        return str(tmp_path / "p.parquet")

    return write


def dense(predictions, num_classes):
    return predictions.scores.dense(np.arange(len(predictions)), num_classes).tolist()


def test_classes_that_are_not_listed_are_0(written):
    found = read_predictions(written(HEADER + "a,2 0.5 0 0.25\n\nb,1 125e-3\nc,\n\n"))
    assert found.video_ids.tolist() == [b"a", b"b", b"c"]
    assert dense(found, 4) == [[0.25, 0, 0.5, 0], [0, 0.125, 0, 0], [0, 0, 0, 0]]
    assert found.scores.counts.tolist() == [2, 1, 0]
    assert found.scores.least_classes == 3


def test_what_inference_writes_comes_back_verbatim(tmp_path):
    count = len(ODD_IDS)
    scores = np.random.default_rng(0).random((count, 3)).astype(np.float32)
    output, times, classes = LabelsCsv(("x", "y", "z")), np.zeros(count, np.float32), np.tile(np.arange(3), (count, 1))
    rows = output.rows(Predicted(np.array(ODD_IDS, object), times, times, classes, scores))
    (tmp_path / "p.csv").write_bytes(output.header() + rows)
    found = read_predictions(str(tmp_path / "p.csv"))
    assert found.video_ids.tolist() == ODD_IDS
    np.testing.assert_allclose(found.scores.dense(np.arange(len(ODD_IDS)), 3), scores, rtol=1e-5)


def test_more_lines_than_are_read_at_a_time(written):
    lines = "".join(f"id{number},{number % 7} 0.5\n" for number in range(20_000))
    found = read_predictions(written(gzip.compress((HEADER + lines).encode()), "p.csv.gz"))
    assert len(found) == 20_000
    rows = found.scores.dense(np.array([19_999, 8192]), 7)
    assert rows.argmax(axis=1).tolist() == [19_999 % 7, 8192 % 7]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "p.csv cannot be read as a CSV: it is empty."),
        (HEADER + "a,0 .5\nb,1 .5,x\n", "cannot be read as a CSV: line 3 has 3 columns in place of 2."),
        (HEADER + 'a,"0 .5\n', "cannot be read as a CSV: a quote is not closed."),
        ("Id,Scores\na,1\n", "needs the columns VideoId and LabelConfidencePairs"),
        (HEADER, "holds no predictions"),
        (HEADER + "a,0 .5\nb,0 .5 1\n", "p.csv, line 3: no pairs of a class and a score: '0 .5 1'"),
        (HEADER + "\na,dog .5\n", "line 3: no pairs"),
        (HEADER + "a,0 .5\nb,1 .5 0 .\n", "line 3: no pairs"),
        (HEADER + "a,0.5 .5\n", "line 2: a class that is no whole number from 0: 0.5"),
        (HEADER + "a,-1 .5\n", "line 2: a class that is no whole number from 0: -1"),
        (HEADER + "a,0 1.5\n", "line 2: a score that is not in 0 to 1: 1.5"),
        (HEADER + "a,0 nan\n", "line 2: a score that is not in 0 to 1: nan"),
        (HEADER + "a,0 .5\nb,1 .5 0 .1 1 .2\n", "line 3: class 1 is listed twice"),
        (HEADER + "a,0 .5\nb,0 .5\na,1 .5\n", "line 4: the clip a has been predicted above already"),
    ],
)
def test_a_mistake_in_a_csv_names_the_line(content, said, written):
    with pytest.raises(UserError, match=r"p\.csv") as error:
        read_predictions(written(content))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_gzip(written):
    with pytest.raises(UserError, match="cannot be read as a CSV"):
        read_predictions(written(HEADER, "p.csv.gz"))


def test_gzip_that_is_damaged(written):
    content = bytearray(gzip.compress((HEADER + "".join(f"id{number},0 0.5\n" for number in range(99))).encode()))
    content[40:60] = bytes(20)
    with pytest.raises(UserError, match=r"p\.csv\.gz cannot be read as a CSV"):
        read_predictions(written(bytes(content), "p.csv.gz"))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("p.csv", True), ("p.CSV.gz", True), ("p.parquet", True), ("runs/p", False), ("m.keras", False), ("a.gz", False)],
)
def test_it_is_told_by_its_name(name, is_one):
    assert is_prediction_file(name) is is_one


def test_a_file_that_is_not_there_is_named_as_it_was_asked_for():
    with pytest.raises(UserError, match=r"--predictions=/nowhere\.csv is no file"):
        read_predictions("/nowhere.csv", "--predictions=/nowhere.csv")


def test_parquet_of_the_best_classes(parquet):
    path = parquet({"video_id": ["-a", "b"], "labels": [[2, 0], []], "scores": [[0.5, 0.25], []], "more": [1, 2]})
    found = read_predictions(path)
    assert found.video_ids.tolist() == [b"-a", b"b"]
    assert dense(found, 3) == [[0.25, 0, 0.5], [0, 0, 0]]


def test_parquet_of_all_classes(parquet):
    found = read_predictions(parquet({"video_id": [b"\xff", b"b"], "scores": [[0.5, 0.25], [0, 1]]}))
    assert found.video_ids.tolist() == [b"\xff", b"b"]
    assert found.scores.least_classes == 2
    assert found.scores.dense(np.array([1, 0]), 2).tolist() == [[0, 1], [0.5, 0.25]]


@pytest.mark.parametrize("kind", ["fixed", "large"])
def test_parquet_of_other_lists(kind, parquet):
    pa = pytest.importorskip("pyarrow")
    kinds = {"fixed": pa.list_(pa.float32(), 2), "large": pa.large_list(pa.float16())}
    found = read_predictions(parquet({"video_id": ["a", "b"], "scores": [[0.5, 0.25], [0, 1]]}, scores=kinds[kind]))
    assert dense(found, 2) == [[0.5, 0.25], [0, 1]]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["a"]}, "needs the columns video_id and scores"),
        ({"video_id": ["a", None], "scores": [[0.5], [0.5]]}, "row 2: it has no video_id"),
        ({"video_id": [1, 2], "scores": [[0.5], [0.5]]}, "row 1: video_id must be a string or binary; found int64"),
        ({"video_id": ["a"], "scores": [0.5]}, "the column scores must hold lists of numbers; found double"),
        ({"video_id": ["a"], "scores": [["x"]]}, "the column scores must hold lists of numbers"),
        ({"video_id": ["a", "b"], "scores": [[0.5], [0.5, 0.1]]}, "row 2: it has 2 scores, and the first row has 1"),
        ({"video_id": ["a"], "labels": [[0]], "scores": [[0.5, 0.1]]}, "row 1: it has 1 labels and 2 scores"),
        ({"video_id": ["a"], "labels": [[3, 3]], "scores": [[0.5, 0.1]]}, "row 1: class 3 is listed twice"),
        ({"video_id": ["a", "b"], "scores": [[0.5], [-0.1]]}, "row 2: a score that is not in 0 to 1: -0.1"),
        ({"video_id": ["a", "b"], "scores": [[0.5], [None]]}, "row 2: a score that is not in 0 to 1: nan"),
        ({"video_id": ["a", "a"], "scores": [[0.5], [0.5]]}, "row 2: the clip a has been predicted above already"),
    ],
)
def test_a_mistake_in_parquet_names_the_row(columns, said, parquet):
    with pytest.raises(UserError, match=r"p\.parquet") as error:
        read_predictions(parquet(columns))
    assert said in str(error.value)


@pytest.mark.parametrize("labels", [{}, {"labels": 3000 * [[0, 2]]}])
def test_parquet_is_read_some_rows_at_a_time(labels, parquet):
    scores = np.random.default_rng(0).random((3000, 2)).astype(np.float32)
    ids = [f"id{number}" for number in range(3000)]
    columns = {"video_id": ids, "scores": scores.tolist(), **labels}
    found = read_predictions(parquet(columns))
    assert found.video_ids.tolist() == [each.encode() for each in ids]
    table = found.scores.dense(np.arange(3000), 3 if labels else 2)
    np.testing.assert_array_equal(table[:, [0, -1]], scores)
    columns["scores"][2500] = [0.5, 2]
    with pytest.raises(UserError, match="row 2501: a score that is not in 0 to 1: 2"):
        read_predictions(parquet(columns))


def test_all_classes_in_parquet_take_no_more_than_their_scores(parquet):
    rows = [np.full(1000, 0.5, np.float32)] * 4000
    path = parquet({"video_id": [f"{number}" for number in range(4000)], "scores": rows})
    tracemalloc.start()
    found = read_predictions(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1.5 * found.scores.values.nbytes


def test_parquet_without_rows(parquet):
    pa = pytest.importorskip("pyarrow")
    path = parquet({"video_id": [], "scores": []}, video_id=pa.string(), scores=pa.list_(pa.float32()))
    with pytest.raises(UserError, match="holds no predictions"):
        read_predictions(path)


def test_what_is_no_parquet(written):
    pytest.importorskip("pyarrow")
    with pytest.raises(UserError, match=r"p\.parquet cannot be read as Parquet: it is no Parquet file, or damaged\.$"):
        read_predictions(written(json.dumps({}), "p.parquet"))


def test_parquet_without_pyarrow_names_the_extra(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'yt8m-audio\[report\]'"):
        read_predictions(written("", "p.parquet"))


def test_segments_are_told_apart_by_their_start(parquet):
    columns = {"video_id": ["a", "b", "a"], "start_time": [0.0, 5.0, 5.0], "labels": [[1]] * 3, "scores": [[0.5]] * 3}
    assert read_predictions(parquet(columns)).video_ids.tolist() == [b"a:0", b"b:5", b"a:5"]


def test_clips_that_come_once_keep_their_ids(parquet):
    columns = {"video_id": ["a", "b"], "start_time": [30.0, 5.0], "scores": [[0.5], [0.25]]}
    assert read_predictions(parquet(columns)).video_ids.tolist() == [b"a", b"b"]


@pytest.mark.parametrize(
    ("starts", "said"),
    [
        ([0.0, 0.0], "row 2: the clip a:0 has been predicted above already"),
        ([0.0, None], "start_time must hold seconds"),
        (["0", "5"], "start_time must hold seconds"),
    ],
)
def test_starts_that_tell_no_segments_apart(starts, said, parquet):
    with pytest.raises(UserError, match=said):
        read_predictions(parquet({"video_id": ["a", "a"], "start_time": starts, "scores": [[0.5], [0.25]]}))
