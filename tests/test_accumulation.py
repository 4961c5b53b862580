"""Figures of batches, merged or not, kept whole or sketched, against those of the whole."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import accumulation, evaluate, kept_pairs, score_sketch
from yt8m_audio.evaluation.accumulation import ExactAccumulator, fitting_accumulator
from yt8m_audio.evaluation.collecting import collect
from yt8m_audio.evaluation.score_sketch import ScoreSketch, num_bins
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.streaming import StreamingAccumulator

SKETCHED = ("mAP", "auc", "d_prime", "d_prime_class_mean", "micro_ap")
BOTH = [ExactAccumulator, StreamingAccumulator]
MIB = 1 << 20


def made(probabilities, labels, loss=math.nan, rated=None):
    """Scores of clips with ids and times of their own."""
    num_clips = len(labels)
    ids = np.array([b"clip%05d" % number for number in range(num_clips)], object)
    probabilities, labels = np.asarray(probabilities, np.float32), np.asarray(labels, np.uint8)
    return Scores(probabilities, labels, loss, rated, ids, np.arange(num_clips, dtype=np.float32))


def at(scores, rows):
    """Some of the clips, with the loss of the whole."""
    columns = (scores.probabilities, scores.labels, scores.video_ids, scores.start_times)
    probabilities, labels, ids, times = (column[rows] for column in columns)
    return Scores(probabilities, labels, scores.loss, None, ids, times)


def skilled(num_clips=300, num_classes=20, seed=0, share=0.1):
    """Scores that know something, as a sigmoid gives them."""
    generator = np.random.default_rng(seed)
    labels = generator.random((num_clips, num_classes)) < share
    logits = generator.normal(-4, 2, labels.shape) + 3 * labels
    return made(1 / (1 + np.exp(-logits)), labels)


def whole(scores, top_k=20):
    return evaluate(scores.probabilities, scores.labels, top_k, rated=scores.rated)


def accumulated(kind, batches, top_k=20):
    accumulator = kind(batches[0].labels.shape[1], top_k)
    for batch in batches:
        accumulator.add(batch)
    return accumulator.compute()


def merged(kind, batches, top_k=20):
    """As a tree of workers would."""
    parts = [kind.from_output(batch, top_k) for batch in batches]
    while len(parts) > 1:
        last = parts.pop()
        parts[len(parts) // 2].merge(last)
    return parts[0].compute()


def assert_within_bounds(found, expected):
    """The streaming figures against the exact ones: equal, or as far as they say."""
    assert [name for name in found if name in expected] == list(expected)
    for name, value in expected.items():
        bound = found.get(f"{name}_error_bound", 0)
        assert (name in SKETCHED) == (f"{name}_error_bound" in found)
        assert found[name] == pytest.approx(value, abs=bound + 1e-12, rel=1e-9, nan_ok=True), name


@st.composite
def clips(draw):
    """Probabilities [clips, classes] with a label somewhere: few levels make ties, few clips empty classes."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 30)))
    level = st.sampled_from([0.0, -0.0, 0.25, 0.5, 1 - 2.0**-20, 1.0]) | st.floats(0, 1, width=32)
    labels = draw(st_numpy.arrays(bool, shape).filter(np.any))
    return made(draw(st_numpy.arrays(np.float32, shape, elements=level)), labels)


@st.composite
def batched(draw):
    """Clips, and the same in another order and in batches."""
    scores = draw(clips())
    order = np.array(draw(st.permutations(range(len(scores.labels)))))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    return scores, [at(scores, rows) for rows in np.split(order, cuts)]


# Order, batches, merging


@settings(max_examples=60, deadline=None)
@given(batched(), st.integers(1, 5))
def test_order_batches_and_merging_change_no_bit_of_exact_figures(pair, top_k):
    scores, batches = pair
    expected = {**whole(scores, top_k), "exact": True}
    for found in (accumulated(ExactAccumulator, batches, top_k), merged(ExactAccumulator, batches, top_k)):
        assert repr(found) == repr(expected)  # nan too


@settings(max_examples=60, deadline=None)
@given(batched(), st.integers(1, 5))
def test_streaming_figures_are_within_their_bounds_in_any_order(pair, top_k):
    scores, batches = pair
    expected = whole(scores, top_k)
    found = accumulated(StreamingAccumulator, batches, top_k)
    assert_within_bounds(found, expected)
    assert merged(StreamingAccumulator, batches, top_k) == pytest.approx(found, rel=1e-12, abs=1e-14, nan_ok=True)


@pytest.mark.parametrize("kind", BOTH)
def test_many_batches_of_many_clips(kind):
    scores = skilled(3000)
    batches = [at(scores, rows) for rows in np.array_split(np.random.default_rng(1).permutation(3000), 23)]
    assert_within_bounds({**accumulated(StreamingAccumulator, batches)}, whole(scores))
    found = merged(kind, batches)
    assert found["exact"] is (kind is ExactAccumulator)
    assert found["clips"] == 3000
    assert found["mAP"] == pytest.approx(whole(scores)["mAP"], abs=1e-3)


def test_the_exact_one_gives_all_scores_back():
    scores = skilled(50)
    accumulator = ExactAccumulator(20)
    for rows in np.split(np.arange(50), [7, 30]):
        accumulator.add(at(scores, rows))
    found = accumulator.scores()
    for name in ("probabilities", "labels", "video_ids", "start_times"):
        np.testing.assert_array_equal(getattr(found, name), getattr(scores, name))


@pytest.mark.parametrize("kind", BOTH)
def test_the_loss_is_the_mean_over_clips_and_measured_where_it_is_not_known(kind):
    scores = skilled(30)
    known = [
        made(scores.probabilities[:10], scores.labels[:10], 1.0),
        made(scores.probabilities[10:], scores.labels[10:], 4),
    ]
    assert accumulated(kind, known)["loss"] == pytest.approx((10 * 1 + 20 * 4) / 30)
    unknown = [at(scores, slice(10)), at(scores, slice(10, None))]
    assert accumulated(kind, unknown)["loss"] == pytest.approx(whole(scores)["loss"])


@pytest.mark.parametrize("kind", BOTH)
def test_what_was_not_rated_is_below_a_score_of_zero(kind):
    generator, scores = np.random.default_rng(0), skilled(60)
    rated = generator.random(scores.labels.shape) < 0.5
    probabilities = scores.probabilities * (generator.random(rated.shape) < 0.5)  # also of positives
    given = made(probabilities, scores.labels * rated, rated=rated)
    rows = slice(25), slice(25, 60)
    batches = [made(given.probabilities[each], given.labels[each], rated=rated[each]) for each in rows]
    for found in (merged(kind, batches), accumulated(kind, batches)):
        if kind is ExactAccumulator:
            assert found == {**whole(given), "loss": pytest.approx(whole(given)["loss"]), "exact": True}
        else:
            assert_within_bounds(found, whole(given))


def test_batches_that_do_not_say_are_rated_in_full():
    scores, rated = skilled(60), np.random.default_rng(0).random((25, 20)) < 0.5
    batches = [made(scores.probabilities[:25], scores.labels[:25] * rated, rated=rated), at(scores, slice(25, 60))]
    labels = np.concatenate([batch.labels for batch in batches])
    both = np.concatenate([rated, np.ones((35, 20), bool)])
    wanted = whole(made(scores.probabilities, labels, rated=both))
    assert accumulated(ExactAccumulator, batches) == pytest.approx({**wanted, "exact": True})
    assert_within_bounds(accumulated(StreamingAccumulator, batches), wanted)
    collected = collect(iter(batches), 60, 20)
    np.testing.assert_array_equal(collected.rated, both)


# The sketch


@pytest.mark.parametrize("octave_bits", [0, 4, 8, 10])
def test_bins_never_turn_an_order_around(octave_bits):
    generator = np.random.default_rng(0)
    scores = np.concatenate([generator.random(5000), 10.0 ** generator.uniform(-12, 0, 5000), [-1, -0.0, 0, 1, 2]])
    scores = np.sort(np.concatenate([scores, 1 - scores]).astype(np.float32))
    bins = ScoreSketch(1, octave_bits).bins(scores).astype(int)
    assert (np.diff(bins) >= 0).all()
    assert (bins[0], bins[-1]) == (0, num_bins(octave_bits) - 1)


def test_finer_bins_have_a_smaller_bound():
    scores = skilled(2000, 5)
    found = [StreamingAccumulator.from_output(scores, octave_bits=bits).compute() for bits in (4, 7, 10)]
    for name in ("mAP_error_bound", "auc_error_bound", "micro_ap_error_bound"):
        coarse, middle, fine = (each[name] for each in found)
        assert coarse > 4 * middle > 16 * fine > 0
    assert found[-1]["mAP_error_bound"] < 1e-3


@pytest.mark.parametrize(
    "scores_of", [lambda labels: labels * 1.0, lambda labels: 0 * labels + 0.3], ids=["perfect", "constant"]
)
def test_the_extremes_are_bounded(scores_of):
    labels = np.random.default_rng(0).random((200, 5)) < 0.2
    scores = made(scores_of(labels), labels)
    assert_within_bounds(accumulated(StreamingAccumulator, [scores]), whole(scores))


@pytest.mark.parametrize("others", [0.5001, 0.5003])
def test_the_bound_is_reached_by_the_worst_and_the_best_order_within_a_bin(others):
    scores = made([[0.5002], [others], [others]], [[1], [0], [0]])  # all in one bin
    found, expected = accumulated(StreamingAccumulator, [scores]), whole(scores)
    for name in ("mAP", "auc", "micro_ap"):
        bound = found[f"{name}_error_bound"]
        assert abs(found[name] - expected[name]) == pytest.approx(bound)
        assert bound > 0.3


def test_small_blocks_make_no_difference(monkeypatch):
    batches = [at(skilled(), rows) for rows in np.split(np.arange(300), [100, 101])]
    expected = accumulated(StreamingAccumulator, batches, 3)
    monkeypatch.setattr(kept_pairs, "PAIRS_AT_ONCE", 50)
    monkeypatch.setattr(score_sketch, "PAIRS_WAITING", 20 * 30)
    monkeypatch.setattr(score_sketch, "CLASSES_COUNTED", 3)
    monkeypatch.setattr(score_sketch, "POSITIVES_AT_ONCE", 7)
    assert accumulated(StreamingAccumulator, batches, 3) == pytest.approx(expected, rel=1e-12)


# Memory


def test_what_fits_is_exact_and_what_does_not_is_as_fine_as_fits():
    assert isinstance(fitting_accumulator(20_371, 527, 1 << 30), ExactAccumulator)
    large, larger = (fitting_accumulator(1_100_000, 3862, mib * MIB) for mib in (500, 900))
    assert isinstance(large, StreamingAccumulator)
    assert 4 < large.sketch.octave_bits < larger.sketch.octave_bits
    assert accumulation.streaming_bytes(1_100_000, 3862, 20, large.sketch.octave_bits) <= 500 * MIB


def test_what_cannot_fit_is_an_error_that_says_how_much_it_takes():
    with pytest.raises(
        UserError, match=r"1,100,000 clips of 3,862 classes with top_k=20 takes \d+ MiB .*Received: 100 MiB"
    ):
        fitting_accumulator(1_100_000, 3862, 100.0 * MIB)


def test_the_smaller_of_the_two_needs_is_told():
    with pytest.raises(UserError, match=r"takes 19 MiB at least; .*Received: 15 MiB"):
        fitting_accumulator(2168, 527, 15 * MIB)
    assert isinstance(fitting_accumulator(2168, 527, 19 * MIB), ExactAccumulator)


# Errors


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.5, np.nan]], [[1, 0]], "finite.*1 of 2 NaN"),
        ([[0.5, np.inf]], [[1, 0]], "finite.*first inf"),
        ([[0.5, 0.1]], [[1, 2]], "0 or 1.*first 2"),
        ([[0.5, 0.1]], [[1]], r"same shape.*\(1, 2\).*\(1, 1\)"),
        ([[0.5, 0.1, 0.2]], [[1, 0, 0]], "same classes.*3 classes after 2"),
    ],
)
def test_bad_batches_are_named(kind, probabilities, labels, message):
    accumulator = kind(2)
    with pytest.raises(UserError, match=message) as error:
        accumulator.add(made(probabilities, labels))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", BOTH)
def test_no_clips_no_labels_and_no_top_k_are_errors(kind):
    accumulator = kind(2)
    accumulator.add(made(np.empty((0, 2)), np.empty((0, 2))))
    with pytest.raises(UserError, match=r"at least one clip.*\(0, 2\)"):
        accumulator.compute()
    accumulator.add(made([[0.5, 0.1]], [[0, 0]]))
    with pytest.raises(UserError, match=r"at least one label.*1 clips"):
        accumulator.compute()
    with pytest.raises(UserError, match="top_k must be at least 1"):
        kind(2, top_k=0)


def test_what_was_made_differently_is_not_merged():
    with pytest.raises(UserError, match=r"same classes and top_k.*2 and 3 classes, top_k 20 and 5"):
        StreamingAccumulator(2).merge(StreamingAccumulator(3, 5))
    with pytest.raises(UserError, match="same classes and bins"):
        StreamingAccumulator(2, octave_bits=4).merge(StreamingAccumulator(2, octave_bits=5))
    with pytest.raises(UserError, match=r"same classes.*3 classes after 2"):
        ExactAccumulator(2).merge(ExactAccumulator(3))


def test_scores_outside_0_and_1_have_no_calibration_error_and_keep_their_bounds():
    scores = made([[-1, 5, 0.5], [3, -2, 0.2], [0.1, 4, 0.3]], [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    assert_within_bounds(accumulated(StreamingAccumulator, [scores]), whole(scores))
