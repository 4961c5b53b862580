"""How fast are clips resampled? Resamples of AudioSet's evaluation set, against plain index sorts of its table.

python -m benchmarks bootstrapping               # a rate beside the sort's
python -m benchmarks.bootstrapping               # seconds of 50 resamples, and what they make of 1,000
python -m benchmarks.bootstrapping 1000          # seconds of 1,000; some 15 s on two cores

A resample that is drawn and evaluated anew has to sort every class, at the least.
"""

import sys
import time

import numpy as np

from benchmarks.evaluating import NUM_CLASSES, NUM_CLIPS, made_batches
from benchmarks.measure import Result, alternately
from yt8m_audio.evaluation.bootstrap import confidence_intervals

RESAMPLES, WHOLE = 50, 1000


def results() -> list[Result]:
    """Resamples a second, those that sort the classes counted in, and sorts of all classes a second."""
    scores, labels = made_table()

    def resampling() -> int:
        confidence_intervals(scores, labels, RESAMPLES)
        return RESAMPLES

    def sorting() -> int:
        np.argsort(scores, axis=0)
        return 1

    limit, rate = alternately(sorting, resampling, rounds=2)
    name = f"intervals of {NUM_CLIPS:,} x {NUM_CLASSES}, {RESAMPLES} resamples"
    return [Result(name, rate, "tables/s", "index sort of each class", limit)]


def made_table() -> tuple[np.ndarray, np.ndarray]:
    """Made scores and labels, [clips, classes] each."""
    batches = [*made_batches(NUM_CLIPS, NUM_CLASSES)]
    return tuple(np.concatenate([getattr(batch, name) for batch in batches]) for name in ("probabilities", "labels"))


def seconds_of(resamples: int, scores: np.ndarray, labels: np.ndarray) -> float:
    """How long the intervals of so many resamples take."""
    begun = time.perf_counter()
    confidence_intervals(scores, labels, resamples)
    return time.perf_counter() - begun


def main(resamples: int) -> None:
    """Prints the seconds of so many resamples; of fewer than 1,000 also those that 1,000 would take."""
    scores, labels = made_table()
    begun = time.perf_counter()
    np.argsort(scores, axis=0)
    sort = time.perf_counter() - begun
    least, taken = seconds_of(1, scores, labels), seconds_of(resamples, scores, labels)
    print(f"one index sort of all classes of {NUM_CLIPS:,} x {NUM_CLASSES}: {sort:.2f} s")
    print(f"{resamples:,} resamples: {taken:.1f} s, of which sorting and the like, once for all: {least:.1f} s")
    print(f"{resamples:,} such sorts (extrapolated from one): {resamples * sort:,.0f} s")
    if 1 < resamples < WHOLE:
        whole = least + (taken - least) / (resamples - 1) * (WHOLE - 1)
        print(f"{WHOLE:,} resamples (extrapolated): {whole:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RESAMPLES)
