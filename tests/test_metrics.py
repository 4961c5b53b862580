"""Metrics against the starter code's own results, scikit-learn, and numbers worked by hand."""

import json
import math
import os
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from sklearn.metrics import (
    average_precision_score,
    coverage_error,
    label_ranking_average_precision_score,
    roc_auc_score,
)

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import blocks, clip_rankings, evaluate, kept_pairs, metrics, thresholds

ROOT = Path(__file__).resolve().parents[1]
STARTER_CASES = [
    "plain_50c",
    "zero_label_rows",
    "empty_classes_filtered",
    "fewer_classes_than_k",
    "top_k_5",
    "audioset_527c",
    "segment_weights",
]

# Three clips, three classes; the third clip has no label, the third class no clip.
SCORES = np.array([[0.9, 0.5, 0.1], [0.8, 0.6, 0.2], [0.3, 0.7, 0.4]])
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]])


def random_clips(num_clips=200, num_classes=30, seed=0, share=0.1):
    """Tie-free scores with some skill, and labels."""
    generator = np.random.default_rng(seed)
    labels = generator.random((num_clips, num_classes)) < share
    ranks = generator.permutation(labels.size).reshape(labels.shape) / labels.size
    return (0.6 * ranks + 0.4 * labels * generator.random(labels.shape)).astype(np.float32), labels


# The starter code


@pytest.fixture(scope="module")
def starter():
    """Inputs and results of google/youtube-8m's own EvaluationMetrics."""
    folder = Path(os.environ.get("AUDIOSET_DIR", ROOT / "../shared/audioset")).parent / "oracles"
    if not (folder / "starter_metrics.npz").exists():
        pytest.skip(f"the starter code's results are not at {folder}")
    with np.load(folder / "starter_metrics.npz") as arrays:
        return dict(arrays), json.loads((folder / "starter_metrics.json").read_text())["cases"]


@pytest.fixture(params=STARTER_CASES)
def starter_case(request, starter):
    arrays, cases = starter
    scores = arrays[f"{request.param}_pred"] * arrays.get(f"{request.param}_weights", 1)
    return scores, arrays[f"{request.param}_lab"], cases[request.param]


def test_agrees_with_the_starter_code(starter_case):
    scores, labels, expected = starter_case
    top_k = expected["top_k"]
    found = evaluate(scores, labels, top_k)
    names = {"hit@1": "hit1", "perr": "perr", f"gap@{top_k}": "gap", f"map@{top_k}": "map"}
    for name, starter_name in names.items():
        assert found[name] == pytest.approx(expected[starter_name], abs=1e-5), name


def test_agrees_with_the_starter_code_on_each_class(starter_case):
    scores, labels, expected = starter_case
    per_class = metrics.average_precision_at_k_per_class(scores, labels, expected["top_k"])
    np.testing.assert_allclose(per_class[~np.isnan(per_class)], expected["aps"], atol=1e-5)


def test_every_case_of_the_starter_code_is_tested(starter):
    assert set(starter[1]) == set(STARTER_CASES)


# scikit-learn


def expected_per_class(score, scores, labels, defined):
    """A scikit-learn metric class by class, nan where it is not defined."""
    columns = zip(scores.T, labels.T, defined, strict=True)
    return [score(truth, column) if known else math.nan for column, truth, known in columns]


def assert_agrees_with_scikit_learn(scores, labels):
    positive, negative = labels.any(axis=0), (~labels).any(axis=0)
    average_precision = expected_per_class(average_precision_score, scores, labels, positive)
    auc = expected_per_class(roc_auc_score, scores, labels, positive & negative)
    np.testing.assert_allclose(metrics.average_precision_per_class(scores, labels), average_precision, rtol=1e-9)
    np.testing.assert_allclose(metrics.roc_auc_per_class(scores, labels), auc, rtol=1e-9)
    micro = average_precision_score(labels.ravel(), scores.ravel()) if labels.any() else math.nan
    assert metrics.micro_average_precision(scores, labels) == pytest.approx(micro, rel=1e-9, nan_ok=True)
    assert_places_agree_with_scikit_learn(scores, labels)


def assert_places_agree_with_scikit_learn(scores, labels):
    weights, some = labels.sum(axis=1), labels.any(axis=1)
    last = np.full((len(scores), 1), -99, scores.dtype)  # scikit-learn wants two classes
    padded, truth = np.hstack([scores, last]), np.hstack([labels, last > 0])
    assert metrics.coverage(scores, labels) == pytest.approx(coverage_error(truth, padded))
    lwlrap, own = metrics.lwlrap(scores, labels), metrics.lwlrap_per_class(scores, labels)
    np.testing.assert_array_equal(np.isnan(own), ~labels.any(axis=0))
    if labels.any():
        expected = label_ranking_average_precision_score(truth[some], padded[some], sample_weight=weights[some])
        assert lwlrap == pytest.approx(expected)
        assert np.nansum(own * labels.sum(axis=0)) / labels.sum() == pytest.approx(expected)


@st.composite
def clips(draw):
    """Scores and labels [clips, classes]: few levels of score make ties, few clips make empty classes."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 40)))
    few = st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0])
    level = few | st.floats(-10, 10, width=32, allow_subnormal=False)
    scores = draw(st_numpy.arrays(np.float32, shape, elements=level))
    return scores, draw(st_numpy.arrays(bool, shape))


@settings(max_examples=60, deadline=None)
@given(clips())
def test_agrees_with_scikit_learn_on_any_clips(pair):
    assert_agrees_with_scikit_learn(*pair)


@pytest.mark.parametrize(("decimals", "share"), [(7, 0.1), (2, 0.1), (1, 0.005), (0, 0.5), (2, 0.99)], ids=str)
def test_agrees_with_scikit_learn_on_many_clips(decimals, share):
    scores, labels = random_clips(500, 50, share=share)
    assert_agrees_with_scikit_learn(scores.round(decimals), labels)


def test_macro_means_are_over_the_classes_where_they_are_defined():
    scores, labels = random_clips(num_classes=4)
    labels[:, 1], labels[:, 2] = False, True
    found = evaluate(scores, labels)
    assert found["mAP"] == pytest.approx(
        average_precision_score(labels[:, [0, 2, 3]], scores[:, [0, 2, 3]], average="macro")
    )
    assert found["auc"] == pytest.approx(roc_auc_score(labels[:, [0, 3]], scores[:, [0, 3]], average="macro"))


# The order of ties


@pytest.mark.parametrize(("label", "expected"), [(0, 1.0), (1, 0.0), (2, 0.0)])
def test_of_equal_classes_the_lower_goes_first(label, expected):
    scores, labels = np.full((1, 3), 0.5), np.eye(3)[[label]]
    assert metrics.hit_at_one(scores, labels) == expected
    assert metrics.precision_at_equal_recall_rate(scores, labels) == expected
    assert metrics.global_average_precision(scores, labels, top_k=1) == expected
    assert metrics.mean_average_precision_at_k(scores, labels, top_k=1) == expected


@pytest.mark.parametrize("clip", range(3))
def test_equal_clips_are_one_threshold(clip):
    scores, labels = np.full((3, 1), 0.5), np.eye(3)[:, [clip]]
    assert metrics.global_average_precision(scores, labels) == pytest.approx(1 / 3)
    assert metrics.mean_average_precision_at_k(scores, labels) == pytest.approx(1 / 3)


def best_first(scores):
    """Places of the scores from the highest to the lowest; `sorted` keeps the order of equal ones."""
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def ranked_average_precision(pairs, num_positives):
    """Average precision of (score, label) pairs, with more positives than they have."""
    scores, hits = zip(*pairs, strict=True) if pairs else ((), ())
    return average_precision_score(hits, scores) * sum(hits) / num_positives if any(hits) else 0


@pytest.mark.parametrize("decimals", [0, 1, 7])
@pytest.mark.parametrize("top_k", [1, 3, 40])
def test_ties_are_kept_in_the_order_of_classes_and_are_one_threshold_between_clips(decimals, top_k):
    scores, labels = random_clips(50, 40)
    scores = scores.round(decimals)
    kept = [(clip, place) for clip, row in enumerate(scores) for place in best_first(row)[:top_k]]
    pairs = [(scores[at], labels[at]) for at in kept]
    assert metrics.global_average_precision(scores, labels, top_k) == pytest.approx(
        ranked_average_precision(pairs, labels.sum())
    )
    of_class = [[pair for pair, (_, place) in zip(pairs, kept, strict=True) if place == c] for c in range(40)]
    np.testing.assert_allclose(
        metrics.average_precision_at_k_per_class(scores, labels, top_k),
        [ranked_average_precision(*of_one) for of_one in zip(of_class, labels.sum(axis=0), strict=True)],
    )


@pytest.mark.parametrize("decimals", [0, 1, 7])
def test_perr_keeps_ties_in_the_order_of_classes(decimals):
    scores, labels = random_clips(50, 40, share=0.4)
    scores = scores.round(decimals)
    shares = [
        np.mean([truth[place] and row[place] > 0 for place in best_first(row)[: truth.sum()]])
        for row, truth in zip(scores, labels, strict=True)
    ]
    assert metrics.precision_at_equal_recall_rate(scores, labels) == pytest.approx(np.mean(shares))


# By hand


def test_every_metric_by_hand():
    found = evaluate(SCORES, LABELS, top_k=2)
    assert list(found) == [
        *("clips", "hit@1", "perr", "gap@2", "map@2", "mAP", "auc", "d_prime", "d_prime_class_mean", "loss"),
        *("lwlrap", "lwlrap_class_mean", "micro_ap", "coverage", "ece"),
    ]
    assert found["clips"] == 3
    assert found["hit@1"] == pytest.approx(2 / 3)
    assert found["perr"] == pytest.approx((1 + 1 + 0) / 3)
    assert found["gap@2"] == pytest.approx((1 / 1 + 2 / 2 + 3 / 4) / 3)  # ranked .9+ .8+ .7- .6+ .5- .4-
    assert found["map@2"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["mAP"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["auc"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["d_prime"] == pytest.approx(math.sqrt(2) * 0.6744898)  # the normal's upper quartile
    assert found["d_prime_class_mean"] == pytest.approx(math.sqrt(2) * (0.6744898 + 0) / 2)
    assert found["lwlrap"] == found["lwlrap_class_mean"] == 1
    assert found["micro_ap"] == pytest.approx((1 / 1 + 2 / 2 + 3 / 4) / 3)
    assert found["coverage"] == pytest.approx((1 + 2 + 0) / 3)
    assert found["ece"] == pytest.approx((0.1 + 0.2 + 0.4 + 0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 0.7) / 9)  # a bin for each


def test_lwlrap_by_hand():
    scores, labels = [[0.9, 0.8, 0.7], [0.5, 0.6, 0.1]], [[0, 1, 1], [1, 0, 0]]
    assert metrics.lwlrap(scores, labels) == pytest.approx((1 / 2 + 2 / 3 + 1 / 2) / 3)
    np.testing.assert_allclose(metrics.lwlrap_per_class(scores, labels), [1 / 2, 1 / 2, 2 / 3])
    labels = [[0, 1, 0], [0, 1, 0]]  # the same class twice
    np.testing.assert_allclose(metrics.lwlrap_per_class(scores, labels), [math.nan, (1 / 2 + 1) / 2, math.nan])


def test_coverage_counts_equal_scores_together_and_clips_without_labels_as_none():
    assert metrics.coverage([[0.5, 0.5, 0.1], [0.9, 0.8, 0.7]], [[1, 0, 0], [0, 0, 0]]) == (2 + 0) / 2


# Calibration


def test_reliability_by_hand():
    scores = np.array([[0.0, 0.1, 0.2, 0.5], [0.6, 0.9, 1.0, 0.0]], np.float32)
    labels = [[0, 1, 0, 1], [0, 1, 1, 0]]
    mean_score, share_true, count = metrics.reliability(scores, labels, bins=2)
    np.testing.assert_array_equal(count, [4, 4])  # 0.5 is in the upper one, and so is 1
    np.testing.assert_allclose(mean_score, [0.3 / 4, 3.0 / 4], rtol=1e-6)
    np.testing.assert_array_equal(share_true, [1 / 4, 3 / 4])
    expected = (abs(0.075 - 0.25) + abs(0.75 - 0.75)) / 2
    assert metrics.expected_calibration_error(scores, labels, bins=2) == pytest.approx(expected)


@pytest.mark.parametrize("score_type", [np.float32, np.float64])
@pytest.mark.parametrize("bins", [1, 3, 15])
def test_reliability_of_many(score_type, bins):
    scores, labels = random_clips()
    scores = np.concatenate([scores, np.arange(30)[np.newaxis] / 30]).astype(score_type)  # edges of 3 and 15 bins
    labels = np.concatenate([labels, labels[:1]])
    found = metrics.reliability(scores, labels, bins)
    place = np.minimum(np.floor(scores.astype(np.float64) * bins + 1e-12), bins - 1)
    for each in range(bins):
        inside = place == each
        expected = [scores[inside].mean(dtype=np.float64), labels[inside].mean(), inside.sum()]
        np.testing.assert_allclose([column[each] for column in found], expected, rtol=1e-9)


def test_a_bin_without_pairs_is_nan_and_weighs_nothing():
    mean_score, share_true, count = metrics.reliability([[0.1, 0.2]], [[0, 1]], bins=2)
    assert (math.isnan(mean_score[1]), math.isnan(share_true[1]), count[1]) == (True, True, 0)
    assert metrics.expected_calibration_error([[0.1, 0.2]], [[0, 1]], bins=2) == pytest.approx(0.5 - 0.15)


def test_pairs_that_were_not_rated_are_in_no_bin():
    scores, labels, rated = np.array([[0.9, 0.0], [0.3, 0.6]]), [[1, 0], [0, 1]], [[1, 0], [1, 1]]
    count = metrics.reliability(scores, labels, bins=2, rated=rated)[2]
    np.testing.assert_array_equal(count, [1, 2])
    assert evaluate(scores, labels, rated=rated)["ece"] == pytest.approx((0.1 + 0.3 + 0.4) / 3)
    assert metrics.expected_calibration_error(scores, labels) == pytest.approx((0.1 + 0.3 + 0.4) / 4)


@pytest.mark.parametrize(
    ("scores", "auc", "precision"),
    [([0, 0.9, 0, 0, 0], 0, 1 / 2), ([0, 0, 0, 0, 0], 1 / 2, 1 / 2), ([0.9, 0, 0, 0, 0], 1, 1)],
)
def test_what_was_not_rated_is_below_a_score_of_zero(scores, auc, precision):
    table, labels, rated = np.array([scores]).T, [[1], [0], [0], [0], [0]], [[1], [1], [0], [0], [0]]
    found = evaluate(table, labels, rated=rated)
    names = ("auc", "mAP", "micro_ap", "gap@20", "map@20")
    assert [found[name] for name in names] == pytest.approx([auc, *[precision] * 4])
    assert metrics.roc_auc_per_class(table, labels, rated)[0] == pytest.approx(auc)


def test_figures_of_classes_are_those_of_their_rated_clips():
    generator = np.random.default_rng(0)
    rated = generator.random((80, 6)) < 0.4
    scores, labels = np.round(generator.random((80, 6)), 1) * (generator.random((80, 6)) < 0.7), rated.copy()
    labels &= generator.random((80, 6)) < 0.4
    columns = [(labels[some, index], scores[some, index]) for index, some in enumerate(rated.T)]
    found = evaluate(scores, labels, rated=rated)
    assert found["mAP"] == pytest.approx(np.mean([average_precision_score(*each) for each in columns]))
    assert found["auc"] == pytest.approx(np.mean([roc_auc_score(*each) for each in columns]))
    assert found["micro_ap"] == pytest.approx(average_precision_score(labels[rated], scores[rated]))
    assert found["loss"] == pytest.approx(-np.log(np.where(labels, scores, 1 - scores) + 1e-5)[rated].sum() / 80)


def test_the_score_of_what_was_not_rated_does_not_matter():
    generator = np.random.default_rng(1)
    rated = generator.random((40, 8)) < 0.5
    scores, labels = generator.integers(0, 4, (40, 8)) / 4, rated & (generator.random((40, 8)) < 0.3)
    wanted = evaluate(scores * rated, labels, top_k=3, rated=rated)
    assert evaluate(np.where(rated, scores, 9), labels, top_k=3, rated=rated) == wanted


@pytest.mark.parametrize(
    ("rated", "said"),
    [([1, 1], r"Received: rated \(2,\), labels \(1, 2\)"), ([[0, 1]], "Received: 1 of 1 labels that were not rated")],
)
def test_what_cannot_have_been_rated(rated, said):
    with pytest.raises(UserError, match=said):
        evaluate([[0.5, 0.4]], [[1, 0]], rated=rated)


def test_loss_by_hand():
    loss = evaluate([[0.9, 0.2], [0.5, 1.0]], [[1, 0], [1, 1]])["loss"]
    assert loss == pytest.approx(-(math.log(0.9) + math.log(0.8) + math.log(0.5) + math.log(1)) / 2, abs=1e-4)
    assert metrics.cross_entropy([[0.0]], [[1]]) == pytest.approx(-math.log(1e-5))


def test_map_at_k_leaves_out_what_a_clip_did_not_keep_and_average_precision_does_not():
    scores, labels = np.array([[0.9, 0.8], [0.1, 0.2], [0.7, 0.6]]), np.array([[0, 1], [1, 0], [1, 1]])
    kept = metrics.average_precision_at_k_per_class(scores, labels, top_k=1)
    np.testing.assert_allclose(kept, [(1 / 2) / 2, 0])  # class 1 is kept for the second clip alone
    full = metrics.average_precision_per_class(scores, labels)
    np.testing.assert_allclose(full, [(1 / 2 + 2 / 3) / 2, 1])
    assert metrics.mean_average_precision_at_k(scores, labels, top_k=1) == pytest.approx(1 / 8)


def test_perr_does_not_count_a_score_of_zero():
    assert metrics.precision_at_equal_recall_rate([[0.5, 0.0, 0.0]], [[1, 1, 0]]) == 0.5


def test_perr_counts_as_many_classes_as_each_clip_has_labels():
    scores = [[0.9, 0.8, 0.7, 0.6], [0.9, 0.8, 0.7, 0.6]]
    labels = [[0, 1, 0, 0], [0, 1, 1, 1]]
    assert metrics.precision_at_equal_recall_rate(scores, labels) == pytest.approx((0 + 2 / 3) / 2)


# d'


@pytest.mark.parametrize(("auc", "published"), [(0.959, 2.452), (0.964, 2.536), (0.968, 2.612), (0.970, 2.660)])
def test_d_prime_of_published_auc(auc, published):
    assert metrics.d_prime(auc) == pytest.approx(published, abs=0.012)  # Kong et al. round the AUC, ±0.0005


def test_d_prime_of_chance_is_zero_and_of_nan_nan():
    assert metrics.d_prime(0.5) == 0
    assert math.isnan(metrics.d_prime(math.nan))


@pytest.mark.parametrize(("auc", "sign"), [(1.0, 1), (0.0, -1)])
def test_d_prime_takes_half_a_pair_off_an_auc_of_one_or_zero(auc, sign):
    assert metrics.d_prime(auc) == sign * math.inf
    assert metrics.d_prime(auc, num_pairs=4) == pytest.approx(sign * math.sqrt(2) * NormalDist().inv_cdf(7 / 8))


def test_d_primes_of_perfect_classes_are_finite():
    scores, labels = np.array([[0.9, 0.9], [0.1, 0.2], [0.2, 0.1]]), np.array([[1, 1], [0, 0], [0, 0]])
    found = evaluate(scores, labels)
    assert found["auc"] == 1
    assert found["d_prime_class_mean"] == pytest.approx(metrics.d_prime(1 - 1 / (2 * 2)))
    assert found["d_prime"] == pytest.approx(metrics.d_prime(1 - 1 / (2 * 2 * 2)))  # of one class, averaged over two


def test_the_smallest_fault_is_not_corrected_away():
    scores = np.array([[0.9, 0.9], [0.5, 0.4], [0.5, 0.3], [0.2, 0.2], [0.1, 0.1]])
    labels = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0]])
    found = evaluate(scores, labels)  # one tie among the 2 × 3 pairs of class 0; class 1 has 1 × 4
    assert found["auc"] == pytest.approx((11 / 12 + 1) / 2)
    assert found["d_prime"] == pytest.approx(metrics.d_prime((11 / 12 + 1) / 2))


# Inputs


@pytest.mark.parametrize("score_type", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("label_type", [bool, np.uint8, np.int64, np.float32])
def test_types_do_not_matter(score_type, label_type):
    scores, labels = random_clips()
    scores = scores.astype(np.float16)
    assert evaluate(scores.astype(score_type), labels.astype(label_type)) == pytest.approx(
        evaluate(scores.astype(np.float64), labels), rel=1e-12
    )


def test_inputs_are_left_as_they_were_in_any_memory_layout():
    scores, labels = random_clips()
    before = scores.copy(), labels.copy()
    assert evaluate(np.asfortranarray(scores), np.asfortranarray(labels)) == evaluate(scores, labels)
    np.testing.assert_array_equal(scores, before[0])
    np.testing.assert_array_equal(labels, before[1])


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)))
@pytest.mark.parametrize("decimals", [1, 7])
def test_the_order_of_clips_does_not_matter_to_the_last_bit(decimals, order):
    scores, labels = random_clips(num_clips=60)
    scores = scores.round(decimals)
    assert evaluate(scores[order], labels[order]) == evaluate(scores, labels)


@pytest.mark.parametrize("decimals", [1, 7])
def test_blocks_make_no_difference(monkeypatch, decimals):
    scores, labels = random_clips(share=0.3)
    scores = scores.round(decimals)
    whole = evaluate(scores, labels)
    monkeypatch.setattr(blocks, "PAIRS_PER_BLOCK", 7 * 30)
    monkeypatch.setattr(blocks, "CLASSES_PER_LINE", 3)
    monkeypatch.setattr(clip_rankings, "PAIRS_PER_BLOCK", 4 * 30)
    monkeypatch.setattr(kept_pairs, "PAIRS_AT_ONCE", 50)
    monkeypatch.setattr(thresholds, "POSITIVES_AT_ONCE", 9)
    assert evaluate(scores, labels) == pytest.approx(whole, rel=1e-12)


def test_top_k_beyond_the_classes_keeps_them_all():
    scores, labels = random_clips(num_classes=5)
    assert [*evaluate(scores, labels, 50).values()] == [*evaluate(scores, labels, 5).values()]
    per_class = metrics.average_precision_at_k_per_class(scores, labels, 50)
    np.testing.assert_allclose(per_class, metrics.average_precision_per_class(scores, labels))  # no ties


def test_evaluate_agrees_with_each_function():
    scores, labels = random_clips()
    found = evaluate(scores, labels, 3)
    assert found["hit@1"] == metrics.hit_at_one(scores, labels)
    assert found["perr"] == metrics.precision_at_equal_recall_rate(scores, labels)
    assert found["gap@3"] == metrics.global_average_precision(scores, labels, 3)
    assert found["map@3"] == metrics.mean_average_precision_at_k(scores, labels, 3)
    assert found["mAP"] == metrics.average_precision_per_class(scores, labels).mean()
    assert found["auc"] == metrics.roc_auc_per_class(scores, labels).mean()
    assert found["d_prime"] == metrics.d_prime(found["auc"])
    assert found["loss"] == metrics.cross_entropy(scores, labels)
    assert found["d_prime_class_mean"] == metrics.d_prime_per_class(scores, labels).mean()
    assert found["lwlrap"] == metrics.lwlrap(scores, labels)
    assert found["lwlrap_class_mean"] == metrics.lwlrap_per_class(scores, labels).mean()
    assert found["micro_ap"] == metrics.micro_average_precision(scores, labels)
    assert found["coverage"] == metrics.coverage(scores, labels)
    assert found["ece"] == metrics.expected_calibration_error(scores, labels)


def test_a_loss_the_caller_measured_replaces_ours():
    assert evaluate(SCORES, LABELS, loss=1.5)["loss"] == 1.5
    assert evaluate(SCORES, LABELS, loss=0)["loss"] == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("score", [-1e-6, -5, 1 + 1e-6, 5])
def test_scores_that_are_no_probabilities_have_no_loss_and_keep_the_rest(score):
    found = evaluate([[score, 0.4]], [[1, 0]])
    assert math.isnan(found["loss"])
    assert math.isnan(found["ece"])
    assert found["hit@1"] == (score > 0.4)


@pytest.mark.filterwarnings("error")
def test_without_any_positive_there_is_an_error_and_what_is_undefined_is_nan():
    labels = np.zeros_like(LABELS)
    with pytest.raises(UserError, match=r"at least one label.*3 clips, none with a label"):
        evaluate(SCORES, labels)
    zero = (metrics.hit_at_one, metrics.precision_at_equal_recall_rate, metrics.coverage)
    assert [metric(SCORES, labels) for metric in zero] == [0, 0, 0]
    undefined = (metrics.global_average_precision, metrics.mean_average_precision_at_k, metrics.lwlrap)
    assert all(math.isnan(metric(SCORES, labels)) for metric in (*undefined, metrics.micro_average_precision))
    per_class = (metrics.average_precision_per_class, metrics.roc_auc_per_class, metrics.lwlrap_per_class)
    assert all(np.isnan(metric(SCORES, labels)).all() for metric in (*per_class, metrics.d_prime_per_class))


@pytest.mark.filterwarnings("error")
def test_one_clip_has_average_precision_and_no_auc():
    found = evaluate(SCORES[:1], LABELS[:1])
    assert found["mAP"] == 1
    assert math.isnan(found["auc"])


# Errors

EVERY_METRIC = [
    evaluate,
    metrics.hit_at_one,
    metrics.precision_at_equal_recall_rate,
    metrics.global_average_precision,
    metrics.mean_average_precision_at_k,
    metrics.average_precision_at_k_per_class,
    metrics.average_precision_per_class,
    metrics.roc_auc_per_class,
    metrics.cross_entropy,
    metrics.d_prime_per_class,
    metrics.lwlrap,
    metrics.lwlrap_per_class,
    metrics.micro_average_precision,
    metrics.coverage,
    metrics.reliability,
    metrics.expected_calibration_error,
]
BAD_INPUTS = {
    "no clips": (np.empty((0, 3)), np.empty((0, 3)), r"at least one clip.*\(0, 3\)"),
    "no classes": (np.empty((3, 0)), np.empty((3, 0)), r"one class.*\(3, 0\)"),
    "shapes": (SCORES, LABELS[:2], r"same shape.*scores \(3, 3\), labels \(2, 3\)"),
    "one dimension": (SCORES[0], LABELS[0], r"\[clips, classes\].*scores \(3,\)"),
    "nan": ([[0.5, 0.1], [0.2, np.nan]], [[1, 0], [0, 1]], "1 of 4 NaN.*first nan at clip 1, class 1"),
    "infinite": ([[0.5, np.inf], [-np.inf, 0]], [[1, 0], [0, 1]], "2 of 4 .*first inf at clip 0, class 1"),
    "soft labels": ([[0.5, 0.1]], [[1, 0.25]], "0 or 1.*1 of 2 .*first 0.25 at clip 0, class 1"),
    "nan labels": ([[0.5, 0.1]], [[np.nan, 0]], "0 or 1.*1 of 2 .*first nan at clip 0, class 0"),
}


@pytest.mark.parametrize("metric", EVERY_METRIC, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize(("scores", "labels", "message"), BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_bad_inputs_are_named(metric, scores, labels, message):
    with pytest.raises(UserError, match=message) as error:
        metric(scores, labels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("top_k", [0, -1])
@pytest.mark.parametrize("metric", [evaluate, *EVERY_METRIC[3:6]], ids=lambda metric: metric.__name__)
def test_top_k_below_one_is_an_error(metric, top_k):
    with pytest.raises(UserError, match=f"top_k must be at least 1.*top_k={top_k}"):
        metric(SCORES, LABELS, top_k=top_k)
