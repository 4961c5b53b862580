"""The order of clips: all once an epoch, any unit from the seed and its number alone, and classes evened out."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readers.orders import ClassBalanced, GlobalShuffle, InOrder, InverseFrequency, ShardShuffle
from readers.rows import Ragged
from yt8m_audio.errors import UserError

EPOCHS = 3
SHARDS = [1, 5, 0, 3, 30, 2, 7, 1]  # 49 clips

# class: clips    0: 0 1 2 3 4 5    2: 5 6 7    3: 8    and clip 9 has none, nor has class 1
LABELS = Ragged(np.array([0, 0, 0, 0, 0, 0, 2, 0, 2, 2, 2, 3, 3]), np.array([1, 1, 1, 1, 1, 3, 1, 2, 2, 0]))
TWO_CLASSES = [[0], [0, 1], [], [1, 1]]

ORDERS = {
    "in order": lambda seed: InOrder(49, 4),
    "in order, one unit": lambda seed: InOrder(49, 100),
    "global": lambda seed: GlobalShuffle(49, EPOCHS, seed, 4),
    "global, unit beyond an epoch": lambda seed: GlobalShuffle(49, EPOCHS, seed, 120),
    "global, unit beyond the run": lambda seed: GlobalShuffle(49, EPOCHS, seed, 1000),
    "shards": lambda seed: ShardShuffle(SHARDS, EPOCHS, seed, 20),
    "shards, small window": lambda seed: ShardShuffle(SHARDS, EPOCHS, seed, 3),
    "shards, one window": lambda seed: ShardShuffle(SHARDS, EPOCHS, seed, 100),
    "shards, short runs": lambda seed: ShardShuffle(SHARDS, EPOCHS, seed, 20, longest_run=1),
    "balanced": lambda seed: ClassBalanced(LABELS, 200, seed, 7),
    "balanced, long unit": lambda seed: ClassBalanced(LABELS, 5000, seed, 3000),
    "weighted": lambda seed: InverseFrequency(LABELS, 200, seed, 7),
}
SHUFFLED = [name for name in ORDERS if not name.startswith("in order")]
EPOCHAL = [name for name in SHUFFLED if name.startswith(("global", "shards"))]


def labels_of(classes: list[list[int]]) -> Ragged:
    return Ragged(np.array([*chain(*classes)], np.int64), np.array([len(each) for each in classes], np.int64))


def run(order) -> np.ndarray:
    """All positions."""
    return np.concatenate([order.unit(number) for number in range(order.num_units)])


def epochs_of(name: str, seed: int = 0) -> np.ndarray:
    return run(ORDERS[name](seed)).reshape(EPOCHS, -1)


@pytest.mark.parametrize("name", ORDERS)
def test_units_are_the_run(name):
    order = ORDERS[name](0)
    clips = run(order)
    assert len(order) == len(clips)
    assert clips.dtype == np.int64


@pytest.mark.parametrize("name", ORDERS)
def test_locate_finds_every_position(name):
    order = ORDERS[name](0)
    places = [(number, skipped) for number in range(order.num_units) for skipped in range(len(order.unit(number)))]
    assert [order.locate(position) for position in range(len(order))] == places
    assert order.locate(len(order)) == (order.num_units, 0)


@pytest.mark.parametrize("name", ORDERS)
def test_a_unit_does_not_depend_on_what_was_asked_before(name):
    order, used = ORDERS[name](5), ORDERS[name](5)
    numbers = np.random.default_rng(0).permutation(np.repeat(np.arange(order.num_units), 2))
    for number in numbers:
        np.testing.assert_array_equal(used.unit(number), ORDERS[name](5).unit(number))
    with ThreadPoolExecutor(4) as threads:
        for number, clips in zip(numbers, threads.map(used.unit, numbers), strict=True):
            np.testing.assert_array_equal(clips, order.unit(number))


@pytest.mark.parametrize("name", ORDERS)
def test_a_unit_is_the_callers_own(name):
    order = ORDERS[name](0)
    kept = order.unit(0).copy()
    order.unit(0)[:] = -1
    np.testing.assert_array_equal(order.unit(0), kept)


@pytest.mark.parametrize("name", SHUFFLED)
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_seed_makes_the_run(name, seed):
    np.testing.assert_array_equal(run(ORDERS[name](seed)), run(ORDERS[name](seed)))
    assert not np.array_equal(run(ORDERS[name](seed)), run(ORDERS[name](1)))


@pytest.mark.parametrize("name", ORDERS)
def test_refuses_what_is_outside_the_run(name):
    order = ORDERS[name](0)
    for number in (-1, order.num_units):
        with pytest.raises(IndexError, match=f"no unit {number}"):
            order.unit(number)
    for position in (-1, len(order) + 1):
        with pytest.raises(IndexError, match=f"no position {position}"):
            order.locate(position)


def test_in_order():
    assert run(InOrder(9, 4)).tolist() == list(range(9))


@pytest.mark.parametrize("order", [InOrder(0, 4), GlobalShuffle(0, 2, 0, 4), ShardShuffle([0, 0], 2, 0, 4)])
def test_without_clips_there_are_no_units(order):
    assert (len(order), order.num_units, order.locate(0)) == (0, 0, (0, 0))


@pytest.mark.parametrize("name", EPOCHAL)
def test_each_epoch_gives_every_clip_once_in_another_order(name):
    epochs = epochs_of(name)
    for epoch in epochs:
        assert sorted(epoch) == list(range(49))
    assert len({tuple(epoch) for epoch in epochs}) == EPOCHS


def test_the_length_of_units_does_not_change_a_global_shuffle():
    np.testing.assert_array_equal(run(GlobalShuffle(49, 3, 0, 4)), run(GlobalShuffle(49, 3, 0, 60)))


def test_windows_end_with_their_epoch():
    order = ShardShuffle(SHARDS, EPOCHS, 0, 20)
    assert [len(order.unit(number)) for number in range(order.num_units)] == [20, 20, 9] * EPOCHS


def test_a_window_mixes_whole_small_shards():
    order = ShardShuffle([10] * 100, 1, 0, 80)  # shards of an eighth of a window stay whole
    shards = np.concatenate([np.unique(order.unit(number) // 10) for number in range(order.num_units)])
    assert len(order.unit(0)) == 80
    assert sorted(shards) == list(range(100))
    assert np.abs(np.diff(shards[:8])).max() > 1  # not neighbours
    assert np.abs(np.diff(order.unit(0) // 10)).astype(bool).mean() > 0.5  # nor one shard after the other


def test_a_window_mixes_runs_of_large_shards():
    order = ShardShuffle([1000] * 20, 1, 0, 160)
    for number in range(order.num_units):
        runs = np.unique(order.unit(number) // 20)  # 1000 in equal parts of at most 20
        assert len(runs) == 8
        assert len(np.unique(runs // 50)) >= 3  # shards


def test_runs_may_be_shorter_than_an_eighth_of_a_window():
    order = ShardShuffle([1000] * 20, 1, 0, 160, longest_run=2)
    assert len(np.unique(order.unit(0) // 2)) == 80


def class_of(order, members) -> np.ndarray:
    """The class of each position, where no clip has two."""
    return np.array([next(name for name, clips in members.items() if clip in clips) for clip in run(order)])


def test_a_round_gives_each_class_with_clips_once():
    members = {0: [0, 1, 2, 3], 4: [4, 5], 7: [6]}
    labels = labels_of([[0], [0], [0], [0], [4], [4], [7]])
    rounds = class_of(ClassBalanced(labels, 300, 0, 16), members).reshape(100, 3)
    assert (np.sort(rounds) == [0, 4, 7]).all()
    assert len({tuple(each) for each in rounds}) == 6  # in every order


def test_a_class_gives_each_of_its_clips_before_any_again():
    labels = labels_of([[0]] * 5 + [[1]] * 3 + [[2]])
    draws = run(ClassBalanced(labels, 3 * 15, 0, 4))
    assert np.sort(draws[draws < 5].reshape(3, 5)).tolist() == [[0, 1, 2, 3, 4]] * 3
    assert np.sort(draws[(draws >= 5) & (draws < 8)].reshape(5, 3)).tolist() == [[5, 6, 7]] * 5
    assert (draws == 8).sum() == 15
    assert len({tuple(each) for each in draws[draws < 5].reshape(3, 5)}) == 3


def test_balanced_draws_rare_clips_more_often():
    draws = np.bincount(run(ClassBalanced(LABELS, 3 * 60, 0, 7)), minlength=10)
    assert draws.tolist() == [10, 10, 10, 10, 10, 10 + 20, 20, 20, 60, 0]


def test_balanced_keeps_its_order_when_the_run_gets_longer():
    shorter, longer = ClassBalanced(LABELS, 50, 0, 7), ClassBalanced(LABELS, 500, 0, 9)
    np.testing.assert_array_equal(run(shorter), run(longer)[:50])


def test_weighted_evens_out_classes():
    labels = labels_of([[0]] * 100 + [[3]] * 10 + [[]] * 5 + [[5]])
    draws = run(InverseFrequency(labels, 30_000, 0, 1024))
    shares = [np.mean(draws < 100), np.mean((draws >= 100) & (draws < 110)), np.mean(draws == 115)]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.015)
    assert sum(shares) == 1  # none without a label


def test_weights_add_up_over_labels_and_repeated_ones_count_once():
    draws = run(InverseFrequency(labels_of(TWO_CLASSES), 30_000, 0, 1024))
    np.testing.assert_allclose(np.bincount(draws) / 30_000, [0.25, 0.5, 0, 0.25], atol=0.015)


@pytest.mark.parametrize(("order", "name"), [(ClassBalanced, "balanced"), (InverseFrequency, "weighted")])
@pytest.mark.parametrize("classes", [[], [[], []]])
def test_sampling_by_class_needs_labels(order, name, classes):
    with pytest.raises(UserError, match=f"--sampling={name} .* none of the {len(classes)} clips"):
        order(labels_of(classes), 10, 0, 4)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40), max_size=8),
    window=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
    longest_run=st.integers(1, 60),
)
def test_any_shards_give_every_clip_once_an_epoch(sizes, window, seed, longest_run):
    order = ShardShuffle(sizes, 2, seed, window, longest_run)
    units = [order.unit(number) for number in range(order.num_units)]
    assert len(order) == 2 * sum(sizes) == sum(map(len, units))
    for half in (units[: len(units) // 2], units[len(units) // 2 :]):
        assert sorted(np.concatenate([[], *half])) == list(range(sum(sizes)))


@settings(max_examples=60, deadline=None)
@given(
    classes=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=20).filter(any),
    unit_size=st.integers(1, 50),
    rounds=st.integers(1, 60),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_labels_are_drawn_evenly(classes, unit_size, rounds, seed):
    members = {label: [clip for clip, each in enumerate(classes) if label in each] for label in set(chain(*classes))}
    draws = run(ClassBalanced(labels_of(classes), rounds * len(members), seed, unit_size))
    counts = np.bincount(draws, minlength=len(classes))
    fewest, most = np.zeros(len(classes)), np.zeros(len(classes))
    for clips in members.values():
        fewest[clips] += rounds // len(clips)
        most[clips] += -(-rounds // len(clips))
    assert (fewest <= counts).all()
    assert (counts <= most).all()
