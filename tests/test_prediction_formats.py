"""Formats of predictions: what each writes, that ids come back verbatim, and that parts in any pieces give one file."""

import csv
import gzip
import io
import json
import sys
import zipfile

import numpy as np
import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.prediction_files import read_predictions
from yt8m_audio.prediction.audacity import file_name
from yt8m_audio.prediction.csv_fields import csv_fields
from yt8m_audio.prediction.formats import OUTPUTS, format_for
from yt8m_audio.prediction.json_lines import id_of
from yt8m_audio.prediction.packed_rows import in_blocks, packed, unpacked
from yt8m_audio.prediction.predicted import Predicted

ODD_IDS = [
    b"-abc",
    b"a,b",
    b'say "x"',
    b"two\nlines",
    b"\xff\xfe",
    b"NA",
    b"#1",
    b" x ",
    b"=1+1",
    b"../up",
    b"\xc3\xa9",
]
TEXT_IDS = [each for each in ODD_IDS if each != b"\xff\xfe"]
NAMES = ("Speech", "Music, loud", "-noise", "tab\there")


def predicted(ids, classes=(3, 0), scores=(0.75, 0.25)):
    """The same classes and scores for each clip, ten seconds long and one after another."""
    n = len(ids)
    video_ids = np.empty(n, object)
    video_ids[:] = ids
    starts = np.arange(n, dtype=np.float32) * 10
    tiled = np.tile(np.array(classes, np.int32), (n, 1)), np.tile(np.array(scores, np.float32), (n, 1))
    return Predicted(video_ids, starts, starts + 10, *tiled)


def random_predicted(count, num_classes=5):
    """All scores of clips."""
    random = np.random.default_rng(0)
    all_scores = predicted([b"clip%d" % number for number in range(count)], range(num_classes), [0] * num_classes)
    return Predicted(*list(vars(all_scores).values())[:4], random.random((count, num_classes), np.float32))


def text(output, *pieces):
    return output.header() + b"".join(map(output.rows, pieces))


@pytest.fixture
def combined(tmp_path):
    """Writes pieces, some to a part, and makes a file of the parts; gives its path."""

    def combine(output, pieces, name):
        parts = [tmp_path / "part-0", tmp_path / "part-1"]
        for number, part in enumerate(parts):
            part.write_bytes(output.header() + b"".join(map(output.rows, pieces[number::2])))
        output.combine(parts, tmp_path / name)
        return tmp_path / name

    return combine


# CSV


def test_labels_as_the_starter_writes_them():
    found = format_for("labels", "p.csv", num_classes=4)
    rows = predicted([b"a", b"b"], (3, -1), (0.75, 0.1))
    assert text(found, rows, predicted([b"c"], (-1, 1), (1e-7, 1)), predicted([b"d"], (-1, -1))) == (
        b"VideoId,LabelConfidencePairs\na,3 0.75\nb,3 0.75\nc,1 1\nd,\n"
    )
    assert found.rows(predicted([b"a"], (2, 1), (0.5, 1e-7))) == b"a,2 0.5 1 1e-07\n"


def test_labels_with_names():
    found = format_for("labels", "p.csv", num_classes=4, names=NAMES)
    assert text(found, predicted([b"a"], (0, 1)), predicted([b"b"], (-1, -1))) == (
        b"VideoId,LabelConfidencePairs,TopLabel,Labels\n"
        b'a,0 0.75 1 0.25,Speech,"Speech 0.750; Music, loud 0.250"\nb,,,\n'
    )


@pytest.mark.parametrize(("output", "each"), [("labels", 1), ("timeline", 2)])
def test_a_csv_parser_gives_ids_back(output, each):
    written = text(format_for(output, "p.csv", num_classes=4, names=NAMES), predicted(ODD_IDS)).decode("latin-1")
    found = [row[0].encode("latin-1") for row in csv.reader(io.StringIO(written, newline=""))][1:]
    assert found == [video_id for video_id in ODD_IDS for _ in range(each)]


def test_the_evaluation_reads_csv(tmp_path):
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(text(format_for("labels", str(path), num_classes=4), predicted(ODD_IDS))))
    found = read_predictions(str(path))
    assert found.video_ids.tolist() == ODD_IDS
    assert found.scores.dense(np.array([0]), 4).tolist() == [[0.25, 0, 0, 0.75]]


def test_formulas_are_escaped_where_asked_for():
    fields = [b"=1+1", b"+1", b"-abc", b"@x", b"\tx", b"\rx", b"a-b", b"", b"-a,b"]
    wanted = [b"'=1+1", b"'+1", b"'-abc", b"'@x", b"'\tx", b'"\'\rx"', b"a-b", b"", b'"\'-a,b"']
    assert csv_fields(fields, escape_formulas=True) == wanted
    assert csv_fields(fields[:4]) == fields[:4]
    escaped = format_for("timeline", "p.csv", num_classes=4, names=NAMES, escape_formulas=True)
    assert escaped.rows(predicted([b"-a"], (2, -1))) == b"'-a,0.000,10.000,2,'-noise,0.75\n"


def test_timeline():
    found = format_for("timeline", "p.csv", num_classes=4)
    assert text(found, predicted([b"a", b"b"], (1, -1)), predicted([b"c"], (-1, -1))) == (
        b"video_id,start,end,class,name,score\na,0.000,10.000,1,,0.75\nb,10.000,20.000,1,,0.75\n"
    )


# JSON lines


def test_json_lines():
    found = format_for("labels", "p.jsonl", num_classes=4, names=NAMES)
    line = json.loads(text(found, predicted([b"a"], (1, -1), (1e-7, 0))))
    assert line == {"id": "a", "start": 0, "end": 10, "labels": [1], "names": ["Music, loud"], "scores": [1e-7]}
    assert "names" not in json.loads(format_for("labels", "p.jsonl", num_classes=4).rows(predicted([b"a"])))


def test_json_lines_give_ids_back():
    lines = format_for("labels", "p.jsonl", num_classes=4).rows(predicted(ODD_IDS)).decode().splitlines()
    assert [id_of(json.loads(line)) for line in lines] == ODD_IDS
    assert [line["id"] for line in map(json.loads, lines) if "id_base64" in line] == [r"\xff\xfe"]


# Parquet


@pytest.mark.parametrize(("ids", "kind"), [(ODD_IDS, "binary"), (TEXT_IDS, "string")])
def test_parquet_of_labels(combined, ids, kind):
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    output = format_for("labels", "p.parquet", num_classes=4, names=NAMES)
    path = combined(output, [predicted(ids), predicted([b"last"], (1, -1))], "p.parquet")
    assert read_predictions(str(path)).video_ids.tolist() == [*ids, b"last"]
    schema = parquet.read_schema(path)
    assert (str(schema.field("video_id").type), schema.names[1:3]) == (kind, ["start_time", "end_time"])
    last = parquet.read_table(path).to_pylist()[-1]
    assert (last["labels"], last["names"], last["scores"]) == ([1], ["Music, loud"], [0.75])


def test_parquet_of_all_scores(combined):
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    rows = random_predicted(7)
    path = combined(format_for("scores", "p.parquet", num_classes=5), [rows], "p.parquet")
    assert parquet.read_schema(path).names == ["video_id", "start_time", "end_time", "scores"]
    np.testing.assert_array_equal(read_predictions(str(path)).scores.dense(np.arange(7), 5), rows.scores)
    some = combined(format_for("scores", "p.parquet", num_classes=5), [predicted([b"a"], (1, 4))], "q.parquet")
    assert read_predictions(str(some)).scores.dense(np.array([0]), 5).tolist() == [[0, 0.75, 0, 0, 0.25]]


def test_parquet_without_a_clip(combined):
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    for output in ("labels", "scores"):
        path = combined(format_for(output, "p.parquet", num_classes=5), [], f"{output}.parquet")
        assert parquet.read_table(path).num_rows == 0


def test_parquet_without_pyarrow_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"pip install 'yt8m-audio\[report\]'"):
        format_for("labels", "p.parquet", num_classes=4)


# NPZ


def test_npz(combined):
    rows = random_predicted(7)
    pieces = [rows.take(slice(0, 4)), rows.take(slice(4, None))]
    path = combined(format_for("scores", "p.npz", num_classes=5), pieces, "p.npz")
    with np.load(path) as found:
        assert found["ids"].tolist() == rows.video_ids.tolist()
        for name in ("start_times", "end_times", "scores"):
            np.testing.assert_array_equal(found[name], getattr(rows, name))
            assert found[name].dtype == np.float32
        assert found["classes"].tolist() == [0, 1, 2, 3, 4]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_npz_without_a_clip_and_with_an_id_that_it_cannot_hold(combined):
    output = format_for("scores", "p.npz", num_classes=5)
    with np.load(combined(output, [], "p.npz")) as found:
        assert (found["scores"].shape, found["classes"].shape, found["ids"].shape) == ((0, 5), (5,), (0,))
    with pytest.raises(UserError, match="zero byte"):
        output.rows(predicted([b"a\0"]))


# Parts


def test_parts_come_back_in_blocks_of_any_size(tmp_path):
    rows = random_predicted(10)
    (tmp_path / "a").write_bytes(b"".join(packed(rows.take(slice(i, i + 3))) for i in (0, 3, 6)))
    (tmp_path / "b").write_bytes(packed(rows.take(slice(9, None))))
    (tmp_path / "c").write_bytes(b"")
    blocks = list(in_blocks(unpacked([tmp_path / name for name in "abc"]), 4))
    assert [len(block) for block in blocks] == [4, 4, 2]
    for name in vars(rows):
        np.testing.assert_array_equal(np.concatenate([getattr(each, name) for each in blocks]), getattr(rows, name))


def test_a_damaged_part_is_told(tmp_path):
    whole = packed(random_predicted(2))
    for content in (whole + b"x" * 100, whole[:-1], whole[:10]):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(ValueError, match="a is damaged: remove it"):
            list(unpacked([tmp_path / "a"]))


@pytest.mark.parametrize(("output", "name"), [("labels", "p.parquet"), ("scores", "q.parquet"), ("scores", "p.npz")])
def test_the_same_rows_give_the_same_bytes_in_whatever_pieces(combined, output, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    rows, made = random_predicted(20), format_for(output, name, num_classes=5)
    whole = combined(made, [rows], name).read_bytes()
    pieces = [rows.take(slice(0, 3)), rows.take(slice(9, None)), rows.take(slice(3, 9))]  # every other one to a part
    assert combined(made, pieces[:1] + pieces[2:], "x").read_bytes() != whole
    assert combined(made, [pieces[0], pieces[1], pieces[2]], "y").read_bytes() == whole


# Audacity


def test_label_tracks_in_a_folder(combined, tmp_path):
    output = format_for("audacity", "tracks", num_classes=4, names=NAMES)
    rows = [predicted([b"-a/b", b"-a/b", b"c"], (3, -1)), predicted([b"quiet"], (-1, -1))]
    folder = combined(output, rows, "tracks")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "%2Da%2Fb.txt": "0.000000\t10.000000\ttab here 0.750\n10.000000\t20.000000\ttab here 0.750\n",
        "c.txt": "20.000000\t30.000000\ttab here 0.750\n",
        "quiet.txt": "",
    }
    assert not list(tmp_path.glob(".partial*"))


def test_a_label_track_of_one_recording(combined):
    output = format_for("audacity", "a.txt", num_classes=4)
    path = combined(output, [predicted([b"a", b"a"], (2, 1))], "a.txt")
    assert path.read_text().splitlines()[:2] == [
        "0.000000\t10.000000\tclass 2 0.750",
        "0.000000\t10.000000\tclass 1 0.250",
    ]
    with pytest.raises(UserError, match=r"several \(a, b\): name a folder"):
        combined(output, [predicted([b"a", b"b"])], "b.txt")


def test_several_recordings_for_one_label_track_are_told_at_once():
    assert format_for("audacity", "a.txt", num_classes=4).rows(predicted([b"a", b"a"]))
    assert format_for("audacity", "folder", num_classes=4).rows(predicted([b"a", b"b"]))
    with pytest.raises(UserError, match=r"several \(a, b\): name a folder"):
        format_for("audacity", "a.txt", num_classes=4).rows(predicted([b"a", b"b"]))


def test_names_of_files_are_safe_and_differ():
    names = [file_name(each) for each in [*ODD_IDS, b"", b".", b"..", b"%2Da", b"-a", b"~", b"a" * 300, b"a" * 301]]
    assert len(set(names)) == len(names)
    assert all(name and name[0] not in "-." and "/" not in name and len(name) < 250 for name in names)
    assert file_name(b"_ab-C.1") == "_ab-C.1"


# Which format


@pytest.mark.parametrize(
    ("output", "name", "wanted"),
    [
        ("labels", "p.csv", "LabelsCsv"),
        ("labels", "p.CSV.gz", "LabelsCsv"),
        ("labels", "predictions", "LabelsCsv"),
        ("labels", "p.jsonl.gz", "JsonLines"),
        ("scores", "p-@16.npz", "ScoresNpz"),
        ("timeline", "p.csv.gz", "TimelineCsv"),
        ("audacity", "tracks", "AudacityTracks"),
        ("segments", "p.csv", "SegmentsCsv"),
    ],
)
def test_formats_by_name(output, name, wanted):
    assert type(format_for(output, name, num_classes=4)).__name__ == wanted


@pytest.mark.parametrize(
    ("output", "name", "said"),
    [
        ("label", "p.csv", "--output=label is none of labels, scores, timeline, audacity. Did you mean labels"),
        ("labels", "p.npz", r"labels is written to files that end in \.csv, \.jsonl, \.parquet"),
        ("scores", "p.csv", r"end in \.parquet, \.npz"),
        ("scores", "p.npz.gz", r"leave \.gz away"),
    ],
)
def test_a_name_that_does_not_fit_is_told(output, name, said):
    with pytest.raises(UserError, match=said):
        format_for(output, name, num_classes=4)


def test_all_outputs_have_a_format():
    names = {"labels": "p.csv", "scores": "p.npz", "timeline": "p.csv", "audacity": "tracks"}
    assert all(format_for(output, names[output], num_classes=2) for output in OUTPUTS)
