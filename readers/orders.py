"""Which clip stands at which position of a run, as a function of the seed and the position and nothing else.

    order = GlobalShuffle(num_clips=22160, epochs=5, seed=0, unit_size=1024)
    len(order), order.num_units                         # 110800, 109
    unit, skipped = order.locate(40 * 256)              # 10, 0: a run that stopped after 40 batches of 256
    for number in range(unit, order.num_units):         # in several threads if you like
        order.unit(number)                              # clip indices, int64 [1024]

A unit is the stretch of positions whose clips are fetched at once. Any unit can be asked for at any time: nothing of
what came before is drawn again, so a run resumes at once and exactly. What is remembered here only saves time.
"""

import functools
import threading
from collections.abc import Callable, Sequence

import numpy as np

from readers.rows import Ragged
from yt8m_audio.errors import UserError

# What a generator is for: no two uses share a stream.
EPOCH, RUNS, WINDOW, ROUNDS, CLASS, WEIGHTED = range(1, 7)

RUNS_PER_WINDOW = 8  # pieces of shards that a window mixes, at the least
BLOCK_POSITIONS = 1024  # positions of class-balanced rounds that are drawn by one generator, where a round is shorter


class Order:
    """The clips of a whole run in order, in units.

    Subclasses say what a unit holds, in `_unit`. Unless they say otherwise, all units but the last are of one size.

    Args:
        num_positions: length of the run.
        unit_size: clips of a unit.

    Attributes:
        num_units: how many units the run has.
    """

    def __init__(self, num_positions: int, unit_size: int):
        if num_positions < 0 or unit_size < 1:
            raise ValueError(
                f"An order has units of at least one clip. Received: positions={num_positions}, unit size={unit_size}"
            )
        self._num_positions = num_positions
        self._unit_size = unit_size
        self.num_units = -(-num_positions // unit_size)

    def __len__(self) -> int:
        return self._num_positions

    def unit(self, number: int) -> np.ndarray:
        """Returns the clip indices of a unit, in order, int64 [clips of the unit].

        All units, one after the other, are the run. May be called in any order and from several threads.

        Args:
            number: which unit, in [0, num_units).

        Raises:
            IndexError: if there is no such unit.
        """
        if not 0 <= number < self.num_units:
            raise IndexError(f"A run of {self.num_units} units has no unit {number}.")
        return self._unit(number)

    def locate(self, position: int) -> tuple[int, int]:
        """Returns the unit in which a position lies, and how many of the unit's clips come before it.

        Args:
            position: in [0, len(self)]; the end of the run gives (num_units, 0).

        Raises:
            IndexError: if the run is shorter.
        """
        if not 0 <= position <= len(self):
            raise IndexError(f"A run of {len(self)} clips has no position {position}.")
        return self._locate(position) if position < len(self) else (self.num_units, 0)

    def _unit(self, number: int) -> np.ndarray:
        raise NotImplementedError

    def _locate(self, position: int) -> tuple[int, int]:
        return divmod(position, self._unit_size)

    def _span(self, number: int) -> tuple[int, int]:
        """The first position of a unit, and the first behind it."""
        start = number * self._unit_size
        return start, min(start + self._unit_size, len(self))


class InOrder(Order):
    """Every clip once, 0 to num_clips - 1.

    Args:
        num_clips: clips of the store.
        unit_size: clips of a unit.
    """

    def __init__(self, num_clips: int, unit_size: int):
        super().__init__(num_clips, unit_size)

    def _unit(self, number):
        return np.arange(*self._span(number), dtype=np.int64)


class GlobalShuffle(Order):
    """Every clip once an epoch, each epoch in a permutation of its own, without a gap between epochs.

    Args:
        num_clips: clips of the store.
        epochs: how often each clip comes.
        seed: of the run, in [0, 2³²).
        unit_size: clips of a unit, which may span epochs, and may be more than num_clips.
    """

    def __init__(self, num_clips: int, epochs: int, seed: int, unit_size: int):
        super().__init__(num_clips * epochs, unit_size)
        self._num_clips = num_clips
        self._seed = seed
        self._permutation = _Kept(self._shuffle)

    def _shuffle(self, epoch: int) -> np.ndarray:
        return _generator(self._seed, EPOCH, epoch).permutation(self._num_clips)

    def _unit(self, number):
        return _stretch(self._permutation, self._num_clips, *self._span(number))


class ShardShuffle(Order):
    """Every clip once an epoch, from few shards at a time: for shards that are read in pieces.

    Shards are cut into runs of consecutive clips, and each epoch takes the runs in another random order. Windows of
    that sequence are shuffled within themselves; they are the units. A run is at most an eighth of a window, so that
    a window mixes eight runs or more; smaller shards stay whole. The last window of an epoch may be short.

    Args:
        shard_sizes: clips of each shard [S]; the first shard holds indices 0 to shard_sizes[0] - 1, and so on.
        epochs: how often each clip comes.
        seed: of the run, in [0, 2³²).
        window: clips of a window.
        longest_run: most clips of a run; an eighth of a window when None, and never more.
    """

    def __init__(self, shard_sizes: Sequence[int], epochs: int, seed: int, window: int, longest_run: int | None = None):
        bounds = np.concatenate([[0], np.cumsum(shard_sizes, dtype=np.int64)])  # [S + 1]
        self._num_clips = int(bounds[-1])  # of an epoch
        self._seed = seed
        super().__init__(self._num_clips * epochs, window)
        self._windows = -(-self._num_clips // window)  # of an epoch
        self.num_units = self._windows * epochs
        longest = max(1, window // RUNS_PER_WINDOW)
        self._starts = _cut(bounds, min(longest, longest_run or longest))  # first clip of each run [R]
        self._layout = _Kept(self._shuffle)

    def _shuffle(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """An epoch's runs in order: where each ends in the epoch [R], and its clips less their positions [R]."""
        order = _generator(self._seed, RUNS, epoch).permutation(len(self._starts))
        lengths = np.diff(self._starts, append=self._num_clips)[order]
        ends = np.cumsum(lengths)
        return ends, self._starts[order] - (ends - lengths)

    def _unit(self, number):
        epoch, window = divmod(number, self._windows)
        ends, shifts = self._layout(epoch)
        start = window * self._unit_size
        positions = np.arange(start, min(start + self._unit_size, self._num_clips))  # in the epoch
        chosen = positions + shifts[np.searchsorted(ends, positions, side="right")]
        return _generator(self._seed, WINDOW, number).permutation(chosen)

    def _locate(self, position):
        epoch, rest = divmod(position, self._num_clips)
        window, skipped = divmod(rest, self._unit_size)
        return epoch * self._windows + window, skipped


class ClassBalanced(Order):
    """Every class equally often: a shuffled queue of all classes, each with a pointer into its own shuffled clips.

    A round gives each class once, in an order of its own. In round r, a class of n clips gives number r % n of the
    (r // n)-th permutation of them. Classes without clips drop out. The queue is that of Kong et al. 2018
    (arXiv:1711.00927), whose code draws from one generator's state, and so cannot resume.

    Args:
        labels: of all clips. A label that a clip repeats counts once.
        num_draws: length of the run.
        seed: of the run, in [0, 2³²).
        unit_size: clips of a unit.

    Raises:
        UserError: if no clip has a label.
    """

    def __init__(self, labels: Ragged, num_draws: int, seed: int, unit_size: int):
        super().__init__(num_draws, unit_size)
        self._seed = seed
        self._classes, self._sizes, members = _by_class(labels, "balanced")
        self._starts = np.cumsum(self._sizes) - self._sizes  # first of each class in the two below
        self._members = members.astype(np.min_scalar_type(len(labels.counts)))  # half of int64, as there are two
        self._shuffled = self._members.copy()  # one permutation of each class's clips, ...
        self._cycles = np.where(self._sizes == 1, 0, -1)  # ... which is this one; there is but one of a single clip
        self._lock = threading.Lock()
        self._block = max(1, BLOCK_POSITIONS // len(self._classes))  # rounds

    def _unit(self, number):
        start, stop = self._span(number)
        num_classes = len(self._classes)
        ranks = _stretch(self._rounds, self._block * num_classes, start, stop)
        return self._draw(ranks, np.arange(start, stop) // num_classes)

    def _rounds(self, block: int) -> np.ndarray:
        """A few rounds of classes, each class by its place among those that have clips [rounds * K]."""
        rounds = np.tile(np.arange(len(self._classes)), (self._block, 1))
        return _generator(self._seed, ROUNDS, block).permuted(rounds, axis=1).ravel()

    def _draw(self, ranks: np.ndarray, rounds: np.ndarray) -> np.ndarray:
        """The clip of each class in its round, [n] and ascending rounds [n] to int64 [n]."""
        sizes = self._sizes[ranks]
        cycles = np.where(sizes == 1, 0, rounds // sizes)
        places = self._starts[ranks] + rounds % sizes
        chosen = np.empty(len(ranks), np.int64)
        pending = np.arange(len(ranks))
        with self._lock:  # held throughout: another unit may need these classes' next permutations
            while True:
                ready = self._cycles[ranks[pending]] == cycles[pending]
                chosen[pending[ready]] = self._shuffled[places[pending[ready]]]
                pending = pending[~ready]
                if not len(pending):
                    return chosen
                stale, first = np.unique(ranks[pending], return_index=True)
                for rank, cycle in zip(stale.tolist(), cycles[pending[first]].tolist(), strict=True):
                    self._shuffle(rank, cycle)

    def _shuffle(self, rank: int, cycle: int) -> None:
        """Replaces a class's permutation."""
        place = slice(self._starts[rank], self._starts[rank] + self._sizes[rank])
        generator = _generator(self._seed, CLASS, int(self._classes[rank]), cycle)
        self._shuffled[place] = generator.permutation(self._members[place])
        self._cycles[rank] = cycle


class InverseFrequency(Order):
    """Draws with replacement; a clip weighs the sum over its labels of 1 / (number of clips with that class).

    Clips without labels are never drawn. The draws come unit by unit: a run keeps its unit size.

    Args:
        labels: of all clips. A label that a clip repeats counts once.
        num_draws: length of the run.
        seed: of the run, in [0, 2³²).
        unit_size: clips of a unit.

    Raises:
        UserError: if no clip has a label.
    """

    def __init__(self, labels: Ragged, num_draws: int, seed: int, unit_size: int):
        super().__init__(num_draws, unit_size)
        self._seed = seed
        _, sizes, members = _by_class(labels, "weighted")
        self._cumulated = np.cumsum(np.bincount(members, np.repeat(1 / sizes, sizes)))  # up to the last with a label

    def _unit(self, number):
        start, stop = self._span(number)
        draws = _generator(self._seed, WEIGHTED, number).random(stop - start) * self._cumulated[-1]
        return np.searchsorted(self._cumulated, draws, side="right")  # passes over clips that add no weight


class _Kept:
    """The last two results of a function, made once where several threads ask for one at the same time.

    Two, because the units that are made at one time lie on both sides of the end of an epoch.
    """

    def __init__(self, make: Callable):
        self._make = functools.lru_cache(maxsize=2)(make)
        self._lock = threading.Lock()

    def __call__(self, number: int):
        with self._lock:
            return self._make(number)


def _generator(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """A generator of its own for each seed, purpose and numbers; one purpose always has as many numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose, *numbers])))


def _stretch(piece: Callable[[int], np.ndarray], size: int, start: int, stop: int) -> np.ndarray:
    """Positions start to stop of an endless sequence that is made in pieces [size], as an array of its own."""
    numbers = range(start // size, -(-stop // size))
    return np.concatenate([piece(each)[max(start - each * size, 0) : stop - each * size] for each in numbers])


def _cut(bounds: np.ndarray, longest: int) -> np.ndarray:
    """Cuts shards into equal runs of at most `longest` clips; shards' bounds [S + 1] to the runs' first clips [R]."""
    sizes = np.diff(bounds)
    runs = -(-sizes // longest)  # of each shard; none where it is empty
    shards = np.repeat(np.arange(len(sizes)), runs)  # [R]
    places = np.arange(len(shards)) - (np.cumsum(runs) - runs)[shards]  # of a run in its shard [R]
    return bounds[shards] + sizes[shards] * places // runs[shards]


def _by_class(labels: Ragged, sampling: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorts clips by class: the K classes that have clips [K], how many each has [K], and the clips of each [sum]."""
    num_clips = len(labels.counts)
    clips = np.repeat(np.arange(num_clips), labels.counts)
    keys = np.asarray(labels.values, np.int64) * num_clips + clips
    keys = np.sort(keys, kind="stable")  # np.unique takes 30 times as long
    keys = keys[np.diff(keys, prepend=-1) > 0]  # without what a clip repeats
    if not len(keys):
        raise UserError(
            f"--sampling={sampling} draws clips by their labels, and none of the {num_clips} clips has one: "
            "leave --sampling out, or read records with labels."
        )
    classes, members = np.divmod(keys, num_clips)
    sizes = np.bincount(classes)
    present = np.flatnonzero(sizes)
    return present, sizes[present], members
