"""The fast text of classes and scores is that of `%d %g`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yt8m_audio.prediction.kept_classes import KeptClasses
from yt8m_audio.prediction.pair_texts import pair_texts


def kept(classes, scores, counts):
    return KeptClasses(np.array(classes, np.int32), scores, np.array(counts))


def plain(classes, scores):
    return b" ".join(b"%d %g" % pair for pair in zip(classes, scores.tolist(), strict=True))


def test_the_text_of_many_scores():
    random = np.random.default_rng(0)
    scores = np.float32(10) ** random.uniform(-7, 0, (300, 1000)).astype(np.float32)
    for row in scores:
        classes = random.integers(0, 4000, len(row))
        assert pair_texts(kept(classes, row, [len(row)])) == [plain(classes.tolist(), row)]


@pytest.mark.parametrize("power", range(8))
def test_scores_beside_powers_of_ten(power):
    around = np.float32(10.0**-power).view(np.int32) + np.arange(-40, 40, dtype=np.int32)
    scores = around.view(np.float32)
    assert pair_texts(kept([7] * 80, scores, [80])) == [plain([7] * 80, scores)]


@pytest.mark.parametrize("odd", [15, 1, 127, 33, 77])
def test_ties_go_to_the_even_digit(odd):
    scores = np.array([odd / 128, odd / 1024, odd / 2**14], np.float32)
    assert pair_texts(kept([0, 1, 2], scores, [3])) == [plain([0, 1, 2], scores)]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50))
@settings(deadline=None)
def test_any_scores(scores):
    scores = np.array(scores, np.float32)
    classes = list(range(len(scores)))
    assert pair_texts(kept(classes, scores, [len(scores)])) == [plain(classes, scores)]


@pytest.mark.parametrize("special", [0.0, 1.0, -0.5, 2.0, np.nan, np.inf, 1e-45])
def test_what_is_no_score_in_between(special):
    scores = np.array([0.25, special], np.float32)
    assert pair_texts(kept([3, 12345], scores, [2])) == [plain([3, 12345], scores)]


@pytest.mark.parametrize("counts", [[0], [], [0, 2, 0, 1, 0], [1, 0], [0, 1]])
def test_clips_of_which_nothing_is_kept(counts):
    scores = np.full(sum(counts), 0.5, np.float32)
    found = pair_texts(kept([1] * len(scores), scores, np.array(counts, np.int64)))
    assert found == [b" ".join([b"1 0.5"] * count) for count in counts]
