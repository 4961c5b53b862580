"""The best classes of each row are those of a stable sort of the whole row."""

import numpy as np
import pytest

from yt8m_audio.prediction.best_places import best_places, bounds

RANDOM = np.random.default_rng(0)
SHAPE = (50, 527)
ROWS = {
    "distinct": RANDOM.standard_normal(SHAPE),
    "all the same": np.full(SHAPE, -3.0),
    "few values": RANDOM.integers(-3, 3, SHAPE),
    "saturated": np.where(RANDOM.random(SHAPE) < 0.9, 1.0, RANDOM.random(SHAPE)),
    "zeros of both signs": np.where(RANDOM.random(SHAPE) < 0.5, 0.0, -0.0),
    "infinite": np.where(RANDOM.random(SHAPE) < 0.1, np.inf, np.where(RANDOM.random(SHAPE) < 0.5, -np.inf, 1.5)),
    "rising": np.tile(np.arange(SHAPE[1]), (SHAPE[0], 1)),
    "no rows": np.zeros((0, 527)),
    "more than at a time": RANDOM.integers(-99, 99, (1050, 527)),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("top_k", [1, 20, 300, 527])
def test_as_a_stable_sort(name, top_k):
    values = ROWS[name].astype(np.float32)
    found, best = best_places(values, top_k)
    wanted = np.argsort(-values, axis=1, kind="stable")[:, :top_k]
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(best, np.take_along_axis(values, wanted, axis=1))
    assert (found.dtype, best.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize(("num_columns", "top_k"), [(7, 3), (527, 20), (3862, 20), (64, 64)])
def test_enough_values_reach_the_bound_and_few_more(num_columns, top_k):
    values = np.random.default_rng(1).standard_normal((200, num_columns)).astype(np.float32)
    reached = (values >= bounds(values, top_k)).sum(axis=1)
    assert reached.min() >= top_k
    assert reached.mean() < 1.5 * top_k
