"""Ranked segments as the challenge of 2019 takes them: what is kept and written, and that segment-eval scores it."""

import json

import numpy as np
import pytest

from readers import open_clips
from yt8m_audio.commands import segment_eval
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.examples import frames_record
from yt8m_audio.prediction import segment_ranking, segments_csv
from yt8m_audio.prediction.formats import format_for
from yt8m_audio.prediction.predicted import Predicted
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.prediction.segment_ranking import SegmentRanking
from yt8m_audio.prediction.segments_csv import SegmentsCsv, read_segment_label_ids
from yt8m_audio.prediction.windows import Windows, windowed


def predicted(segments, classes, scores):
    """Segments `id:start` of five seconds, with the classes and scores of each."""
    ids, starts = zip(*(segment.rsplit(":", 1) for segment in segments), strict=True)
    starts = np.array(starts, np.float32)
    video_ids = np.array([each.encode() for each in ids], object)
    return Predicted(video_ids, starts, starts + 5, np.array(classes, np.int32), np.array(scores, np.float32))


def listed(ranking):
    """class -> segments, best first."""
    named = {}
    for number, video_ids, starts in ranking.classes():
        named[number] = [f"{each.decode()}:{start}" for each, start in zip(video_ids, starts, strict=True)]
    return named


def best_by_sorting(pieces, most):
    """The same without any thrift."""
    found = {}
    for piece in pieces:
        for video_id, start, classes, scores in zip(
            piece.video_ids, piece.start_times, piece.classes, piece.scores, strict=True
        ):
            for number, score in zip(classes, scores, strict=True):
                found.setdefault(int(number), []).append((-score, f"{video_id.decode()}:{int(start)}"))
    return {
        number: [name for _, name in sorted(each, key=lambda e: e[0])[:most]] for number, each in sorted(found.items())
    }


def test_the_best_of_each_class():
    ranking = SegmentRanking(most=2)
    ranking.add(predicted(["a:0", "a:5"], [[7, 2], [7, -1]], [[0.5, 0.25], [0.75, 0.9]]))
    ranking.add(predicted(["b:0"], [[2, 7]], [[0.125, 0.625]]))
    assert listed(ranking) == {2: ["a:0", "b:0"], 7: ["a:5", "b:0"]}


def test_of_equal_scores_the_first_is_better():
    ranking = SegmentRanking(most=2)
    for name in "abc":
        ranking.add(predicted([f"{name}:0"], [[1]], [[0.5]]))
    assert listed(ranking) == {1: ["a:0", "b:0"]}


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_what_is_thrown_away_early_would_not_be_kept(monkeypatch, most):
    monkeypatch.setattr(segment_ranking, "ENTRIES_AT_ONCE", 50)
    random, ranking, pieces = np.random.default_rng(0), SegmentRanking(most), []
    for number in range(60):
        classes = np.argsort(random.random((4, 6)), axis=1)[:, :3]
        scores = random.integers(0, 40, (4, 3)) / 40  # many are equal, and some 0
        pieces.append(predicted([f"v{number}:{5 * i}" for i in range(4)], classes, scores))
        ranking.add(pieces[-1])
    if most < 10:
        assert max(len(ranking.scores), len(ranking.video_ids)) <= 6 * most
    assert listed(ranking) == best_by_sorting(pieces, most)


# The file


@pytest.fixture
def written(tmp_path):
    """Writes segments through a part of several pieces; gives the path of the file."""

    def write(pieces, most=100_000):
        output, part = SegmentsCsv(most), tmp_path / "part"
        part.write_bytes(output.header() + b"".join(map(output.rows, pieces)))
        output.combine([part], tmp_path / "segments.csv")
        return tmp_path / "segments.csv"

    return write


def test_the_file_of_the_challenge(written):
    pieces = [
        predicted(["aa:0", "aa:5"], [[7, 2], [7, 2]], [[0.5, 0.25], [0.75, 0.125]]),
        predicted(["-b:10"], [[7, -1]], [[0.625, 0]]),
    ]
    assert written(pieces, most=2).read_text() == "Class,Segments\n2,aa:0 aa:5\n7,aa:5 -b:10\n"


@pytest.mark.parametrize("room", [1, 4, 7, 1000])
def test_classes_are_ranked_some_at_a_time(written, monkeypatch, room):
    monkeypatch.setattr(segments_csv, "GROUP_SEGMENTS", room)
    random = np.random.default_rng(0)
    pieces = [predicted([f"v{n}:0"], [random.permutation(9)[:3]], [random.random(3)]) for n in range(20)]
    wanted = best_by_sorting(pieces, most=3)
    lines = [f"{number},{' '.join(segments)}\n" for number, segments in wanted.items()]
    assert written(pieces, most=3).read_text() == "".join(["Class,Segments\n", *lines])


def test_a_segment_without_a_frame_is_none(written):
    empty = predicted(["a:0"], [[1]], [[0.5]])
    empty = Predicted(empty.video_ids, empty.start_times, empty.start_times, empty.classes, empty.scores)
    assert written([empty]).read_text() == "Class,Segments\n"


@pytest.mark.parametrize("video_id", ["a b", "a,b", "a:b", "a\nb"])
def test_an_id_that_the_format_has_no_room_for_is_told(video_id):
    with pytest.raises(UserError, match=r"holds a space, colon or comma.*--output=timeline"):
        SegmentsCsv().rows(predicted(["ok:0", f"{video_id}:0"], [[1], [1]], [[0.5], [0.5]]))


def test_at_least_one_segment_of_a_class():
    with pytest.raises(UserError, match="--segment_max_pred=0 must be at least 1"):
        format_for("segments", "s.csv", num_classes=4, segment_max_pred=0)


# Which classes


@pytest.fixture
def label_ids(tmp_path):
    """Reads a file of that content, of a model of eight classes."""

    def read(content):
        path = tmp_path / "segment_label_ids.csv"
        path.write_bytes(content)
        return read_segment_label_ids(str(path), num_classes=8)

    return read


@pytest.mark.parametrize("content", [b"Index\n3\n7\n0\n", b"3\r\n7\r\n0\r\n", b"\xef\xbb\xbfIndex\n7\n0\n\n3\n3"])
def test_classes_that_are_ranked(label_ids, content):
    found = label_ids(content)
    assert (found.tolist(), found.dtype) == ([0, 3, 7], np.int32)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Index\n3\nfour\n", "line 3: 'four' is no class"),
        (b"Index\n-1\n", "line 2: '-1' is no class"),
        (b"3\nIndex\n", "line 2: 'Index' is no class"),
        (b"Index\n8\n", "line 2: there is no class 8: the model has 8"),
        (b"Index\n", "holds no class"),
        (b"", "holds no class"),
        (b"\xff\xfe\x00", "cannot be read: it is no text"),
    ],
)
def test_a_file_that_names_no_classes(label_ids, content, said):
    with pytest.raises(UserError, match=f"--segment_label_ids_file=.*{said}"):
        label_ids(content)


@pytest.mark.parametrize(
    ("path", "said"),
    [("https://example.org/ids.csv", "is on the web: download it"), ("none.csv", "cannot be read: No such file")],
)
def test_a_file_that_is_not_here(path, said):
    with pytest.raises(UserError, match=said):
        read_segment_label_ids(path, num_classes=8)


# From records to MAP@N


def rated(video_id, num_frames, *ratings):
    """A record of which every fifth second has its own loudest class, and ratings (class, start, score)."""
    loudest = np.arange(num_frames) // 5 % 8
    frames = np.where(np.arange(8) == loudest[:, None], 255, 0).astype(np.uint8)
    labels, starts, scores = map(list, zip(*ratings, strict=True))
    context = {"id": video_id, "segment_labels": labels, "segment_start_times": starts, "segment_scores": scores}
    return frames_record(context, [1], {"rgb": frames})


def test_segment_eval_scores_the_file(shard, written, small_model, capsys):
    pattern = shard(
        [rated("aa", 17, (0, 0, 1.0), (1, 5, 1.0), (0, 10, 0.0)), rated("bb", 5, (0, 0, 1.0))], "v.tfrecord"
    )
    clips = open_clips(pattern, "input_data_pattern", DataConfig(frame_features=True, num_classes=8, max_frames=20))
    predict = windowed(Predictor(small_model, top_k=8), Windows(5, 5), batch_size=4)
    path = written(list(predict(clips.in_order(2))), most=3)
    lines = path.read_text().splitlines()
    assert lines[1] == "0,aa:0 bb:0 aa:5"  # each five seconds, whether rated or not
    assert (len(lines), lines[4]) == (9, "3,aa:15 aa:0 aa:5")  # the last segment has two frames
    assert (
        segment_eval.main(["segment-eval", "--json", f"--submission_file={path}", f"--eval_data_pattern={pattern}"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["map"] == 1


@pytest.fixture
def small_model():
    """Its logit of a class is the mean of that value of the frames."""
    import keras

    from models.base import FrameLevelModel

    class Mean(FrameLevelModel):
        def classify(self, frames, mask, training):
            counts = keras.ops.sum(keras.ops.cast(mask, "float32"), axis=1, keepdims=True)
            return keras.ops.sum(frames, axis=1) / keras.ops.maximum(counts, 1)

    return Mean(num_classes=8, feature_sizes=(8,), input_normalization="none")
