"""Intervals and differences: resamples are what their clips, written out, evaluate to."""

import math

import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.bootstrap import (
    confidence_intervals,
    draw_counts,
    paired_difference,
    resampled_figures,
)

FIGURES = ("gap@20", "mAP", "auc", "d_prime", "d_prime_class_mean", "lwlrap", "lwlrap_class_mean")


def table(seed, clips=40, classes=6, share=0.2, steps=None, skill=1.0):
    """Scores in (0, 1), of few different values where `steps` are given, and labels."""
    generator = np.random.default_rng(seed)
    labels = generator.random((clips, classes)) < share
    scores = 1 / (1 + np.exp(-generator.normal(size=labels.shape) - skill * labels))
    return (np.round(scores * steps) / steps if steps else scores), labels


def written_out(counts):
    """The indices of the clips of a resample."""
    return np.repeat(np.arange(len(counts)), counts)


# Resamples


def test_draws_follow_an_order_that_is_given():
    by_rows, ordered = draw_counts(5, 3), draw_counts(5, 3, order=np.array([4, 0, 2, 1, 3]))
    np.testing.assert_array_equal(ordered[:, [4, 0, 2, 1, 3]], by_rows)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.95, 1.0])
@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("clips", [2, 40])
def test_a_resample_is_what_its_clips_evaluate_to(clips, steps, share):
    scores, labels = table(clips, clips=clips, share=share, steps=steps)
    counts = draw_counts(clips, 40)
    found = resampled_figures(scores, labels, counts)
    for number, row in enumerate(counts):
        drawn = written_out(row)
        if labels[drawn].any():
            wanted = evaluate(scores[drawn], labels[drawn])
            assert {name: values[number] for name, values in found.items()} == pytest.approx(
                {name: wanted[name] for name in FIGURES}, rel=1e-9, nan_ok=True
            )
        else:
            assert all(np.isnan(values[number]) for values in found.values())


@pytest.mark.parametrize("steps", [None, 4])
def test_lwlrap_of_a_resample_is_scikit_learns(steps):
    scores, labels = table(3, steps=steps)
    counts = draw_counts(len(scores), 20)
    found = resampled_figures(scores, labels, counts)
    for number, row in enumerate(counts):
        drawn = written_out(row)[labels[written_out(row)].any(axis=1)]
        weights = labels[drawn].sum(axis=1)
        wanted = label_ranking_average_precision_score(labels[drawn], scores[drawn], sample_weight=weights)
        assert found["lwlrap"][number] == pytest.approx(wanted, rel=1e-6)


def test_a_class_that_lost_its_positives_drops_out():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.9]])
    labels = np.array([[0, 0], [1, 0], [0, 1]])
    found = resampled_figures(scores, labels.astype(bool), np.array([[0, 1, 2], [1, 2, 0], [3, 0, 0]]))
    np.testing.assert_allclose(found["mAP"], [1.0, 2 / 3, math.nan])
    np.testing.assert_allclose(found["auc"], [1.0, 0.0, math.nan])


def test_what_was_not_rated_is_no_negative():
    scores, labels = table(5, clips=60)
    rated = labels | (np.random.default_rng(6).random(labels.shape) < 0.5)
    scores *= rated & (np.random.default_rng(7).random(labels.shape) < 0.5)  # 0 also of positives
    counts = draw_counts(60, 10)
    found = resampled_figures(scores, labels, counts, rated=rated)
    for number, row in enumerate(counts):
        drawn = written_out(row)
        wanted = evaluate(scores[drawn], labels[drawn], rated=rated[drawn])
        assert {name: each[number] for name, each in found.items()} == pytest.approx(
            {name: wanted[name] for name in found}, nan_ok=True
        )


def test_the_first_row_is_the_clips_themselves():
    counts = draw_counts(7, 3)
    assert counts.shape == (4, 7)
    assert counts[0].tolist() == [1] * 7
    assert counts.sum(axis=1).tolist() == [7] * 4
    assert len({row.tobytes() for row in counts}) == 4


def test_the_same_seed_gives_the_same_numbers_on_any_number_of_threads():
    scores, labels = table(1, clips=100, classes=40)
    one, three = (resampled_figures(scores, labels, draw_counts(100, 70), threads=each) for each in (1, 3))
    assert {name: values.tolist() for name, values in one.items()} == {name: three[name].tolist() for name in one}
    assert confidence_intervals(scores, labels, 30) == confidence_intervals(scores, labels, 30)
    assert confidence_intervals(scores, labels, 30) != confidence_intervals(scores, labels, 30, seed=1)


# Intervals


def test_intervals_hold_the_figure_and_shrink_with_more_clips():
    widths = []
    for clips in (100, 1600):
        scores, labels = table(2, clips=clips)
        intervals, figures = confidence_intervals(scores, labels, 100), evaluate(scores, labels)
        assert set(FIGURES) == set(intervals)
        assert all(intervals[name][0] < figures[name] < intervals[name][1] for name in FIGURES)
        widths.append(intervals["mAP"][1] - intervals["mAP"][0])
    assert 2 < widths[0] / widths[1] < 8  # by the root of 16, about


def test_intervals_cover_what_other_clips_give():
    figures = [evaluate(*table(1000 + seed, clips=150, classes=4))["mAP"] for seed in range(200)]
    tables = [table(seed, clips=150, classes=4) for seed in range(60)]
    intervals = [confidence_intervals(*each, 100, level=0.8)["mAP"] for each in tables]
    covered = np.mean([low <= np.mean(figures) <= high for low, high in intervals])
    assert 0.7 < covered < 0.9


def test_a_figure_that_is_not_defined_has_no_interval():
    intervals = confidence_intervals(np.eye(3), np.zeros((3, 3)), 5)
    assert all(math.isnan(low) and math.isnan(high) for low, high in intervals.values())


def test_progress_tells_the_classes_done():
    scores, labels = table(1, classes=40)
    said = []
    confidence_intervals(scores, labels, 2, progress=lambda *each: said.append(each))
    assert said == [(16, 40), (32, 40), (40, 40)]
    said.clear()
    paired_difference(scores, scores, labels, 2, progress=lambda *each: said.append(each))
    assert said == [(16, 80), (32, 80), (40, 80), (56, 80), (72, 80), (80, 80)]


# Differences


def test_a_model_does_not_differ_from_itself():
    scores, labels = table(1)
    for each in paired_difference(scores, scores, labels, 50).values():
        assert (each.difference, each.low, each.high, each.p) == (0, 0, 0, 1)


def test_a_better_model_is_better():
    worse, labels = table(1, clips=300)
    better = 1 / (1 + np.exp(-(np.log(worse / (1 - worse)) + labels)))
    found = paired_difference(worse, better, labels, 99)
    assert found["mAP"].difference == pytest.approx(evaluate(better, labels)["mAP"] - evaluate(worse, labels)["mAP"])
    assert all(0 < each.low < each.difference < each.high and each.p == 2 / 100 for each in found.values())
    back = paired_difference(better, worse, labels, 99)["mAP"]
    assert (-back.difference, -back.high, -back.low, back.p) == pytest.approx(
        (found["mAP"].difference, found["mAP"].low, found["mAP"].high, 0.02)
    )


def test_p_is_as_often_small_as_it_says():
    """Models that are equally good: p below .2 in about a fifth of the cases."""
    small = 0
    for seed in range(60):
        first, labels = table(seed, clips=120, classes=4)
        second = 1 / (1 + np.exp(-np.random.default_rng(900 + seed).normal(size=labels.shape) - labels))
        small += paired_difference(first, second, labels, 100)["mAP"].p < 0.2
    assert 5 <= small <= 20


@pytest.mark.parametrize(
    ("scores", "labels", "resamples", "said"),
    [
        (np.ones((2, 3)), np.ones((2, 2)), 5, "the same shape"),
        (np.ones((0, 3)), np.ones((0, 3)), 5, "at least one clip"),
        (np.full((2, 2), np.nan), np.ones((2, 2)), 5, "must be finite"),
        (np.ones((2, 2)), np.ones((2, 2)), 0, "--resamples=0 must be at least 1"),
    ],
)
def test_what_cannot_be_resampled(scores, labels, resamples, said):
    with pytest.raises(UserError, match=said):
        confidence_intervals(scores, labels, resamples)
