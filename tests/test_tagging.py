"""Tagging: a sound's labels, when they are heard, and that neither depends on the pieces that frames come in."""

import numpy as np
import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.prediction import window_scores
from yt8m_audio.prediction.label_spans import label_spans
from yt8m_audio.prediction.predicted import DROPPED, Predicted
from yt8m_audio.prediction.tagging import Tagger
from yt8m_audio.prediction.window_scores import WindowScores
from yt8m_audio.prediction.windows import Windows
from yt8m_audio.thinning import Thinned


def mean_score(frames, num_frames):
    """The mean of the frames that are there, as probabilities."""
    return (
        frames.sum(axis=1, dtype=np.float32) / np.float32(100) / np.maximum(num_frames, 1)[:, None].astype(np.float32)
    )


def frames_of(*rows):
    return np.array(rows, np.uint8)


def windows(starts, ends, classes, scores):
    ids = np.full(len(starts), b"x", object)
    columns = np.array(starts, np.float32), np.array(ends, np.float32)
    return Predicted(ids, *columns, np.array(classes, np.int32), np.array(scores, np.float32))


def test_the_score_of_a_sound_is_the_mean_over_its_clips_by_frames():
    def is_loud(frames, num_frames):  # of a clip: 1 or 0
        return (frames.max(axis=1) > 50).astype(np.float32)

    tagged = Tagger(is_loud, clip_frames=2, windows=Windows(1, 1)).tag("x", [frames_of([99], [0], [0], [0], [99])])
    assert tagged.scores.tolist() == pytest.approx([3 / 5])  # clips of 2, 2 and 1 frames, of which the last is short
    assert tagged.num_frames == 5


def test_windows_have_their_best_classes_and_times():
    frames = frames_of([90, 10, 20], [90, 10, 20], [0, 80, 50], [0, 80, 50], [0, 80, 0])
    tagged = Tagger(mean_score, 10, Windows(2, 2), hop_seconds=0.5, top_k=2, threshold=0.3).tag("x", [frames])
    assert tagged.windows.start_times.tolist() == [0, 1, 2]
    assert tagged.windows.end_times.tolist() == [1, 2, 2.5]
    assert tagged.windows.classes.tolist() == [[0, DROPPED], [1, 2], [1, DROPPED]]
    assert tagged.best(3) == [1, 0, 2]
    assert tagged.best(3, threshold=np.array([0.5, 0.4, 0.0])) == [1, 2]
    assert tagged.best(2, rank="peak") == [0, 1]


@pytest.mark.parametrize("pieces", [[23], [1] * 23, [0, 7, 0, 16], [22, 1]])
@pytest.mark.parametrize(("size", "hop"), [(3, 1), (2, 2), (1, 3), (5, 2)])
def test_pieces_and_sections_change_nothing(monkeypatch, pieces, size, hop):
    frames = np.random.default_rng(0).integers(0, 100, (23, 4)).astype(np.uint8)
    whole = Tagger(mean_score, 4, Windows(size, hop)).tag("x", [frames])
    monkeypatch.setattr(window_scores, "SECTION_WINDOWS", 3)
    cut = np.split(frames, np.cumsum(pieces)[:-1])
    tagged = Tagger(mean_score, 4, Windows(size, hop)).tag("x", cut)
    np.testing.assert_allclose(tagged.scores, whole.scores, rtol=1e-6)
    np.testing.assert_array_equal(tagged.over_time, whole.over_time)
    np.testing.assert_array_equal(tagged.windows.start_times, whole.windows.start_times)
    np.testing.assert_array_equal(tagged.windows.end_times, whole.windows.end_times)
    assert len(whole.windows) == Windows(size, hop).counts(np.array([23]))[0]


def test_a_long_sound_is_held_in_sections(monkeypatch):
    monkeypatch.setattr(window_scores, "SECTION_WINDOWS", 4)
    scorer = WindowScores(mean_score, Windows(3, 1))
    for _ in range(100):
        for each in scorer.after(np.ones((5, 2), np.uint8)):
            assert len(each.scores) <= 4
        assert len(scorer.held) <= 11


def test_no_frames_have_no_labels():
    assert Tagger(mean_score, 4, Windows(2, 1)).tag("x", [np.empty((0, 3), np.uint8)]) is None
    assert Tagger(mean_score, 4, Windows(2, 1)).tag("x", []) is None


def test_scores_must_be_numbers():
    with pytest.raises(UserError, match=r"x\.wav are not finite"):
        Tagger(lambda frames, n: np.full((len(n), 2), np.nan, np.float32), 2, Windows(1, 1)).tag(
            "x.wav", [np.zeros((1, 3), np.uint8)]
        )


def test_a_column_stands_for_the_middle_of_its_window():
    frames = np.zeros((6, 1), np.uint8)
    assert Tagger(mean_score, 4, Windows(3, 1)).tag("x", [frames]).edges(5.5).tolist() == [0, 2, 3, 4, 5.5]
    assert Tagger(mean_score, 4, Windows(2, 2)).tag("x", [frames]).edges(6.0).tolist() == [0, 2, 4, 6]


def test_spans_join_neighbours():
    found = windows([0, 1, 2, 3], [3, 4, 5, 6], [[7, 2], [7, -1], [2, -1], [7, -1]], [[0.9, 0.5]] + 3 * [[0.8, 0.4]])
    spans = label_spans(found, lead=1.0)
    rows = np.column_stack([spans.start_times, spans.end_times, spans.classes, spans.scores])
    np.testing.assert_allclose(rows, [(0, 3, 7, 0.9), (0, 2, 2, 0.5), (3, 4, 2, 0.8), (4, 6, 7, 0.8)], rtol=1e-6)


def test_no_class_kept_is_no_span():
    assert len(label_spans(windows([0, 1], [1, 2], [[-1], [-1]], [[0.1], [0.1]]))) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 33, 100])
@pytest.mark.parametrize("join", [np.max, np.mean])
def test_thinned_rows_are_those_of_equal_groups(count, join):
    rows = np.random.default_rng(count).random((count, 2))
    thinned = Thinned(8, join)
    for piece in np.split(rows, [count // 3, count // 2]):
        thinned.add(piece)
    step = thinned.step
    wanted = [join(rows[begin : begin + step], axis=0) for begin in range(0, count, step)]
    np.testing.assert_allclose(thinned.rows(), np.reshape(wanted, (-1, 2)))
    assert len(wanted) <= 9


def test_thinning_nothing_is_an_error():
    with pytest.raises(ValueError, match="Nothing was added"):
        Thinned(4).rows()
