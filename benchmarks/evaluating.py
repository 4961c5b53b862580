"""How fast are figures computed of scores? Of AudioSet's evaluation set against a plain sort of its table, and of more.

python -m benchmarks evaluating                      # 20,371 clips x 527 classes
python -m benchmarks.evaluating 1100000 3862 500     # made batch by batch, within so many MiB; a minute and a half
"""

import math
import sys
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Result, alternately
from benchmarks.memory import largest
from yt8m_audio.evaluation.accumulation import MIB, ExactAccumulator, fitting_accumulator
from yt8m_audio.evaluation.scores import Scores

NUM_CLIPS, NUM_CLASSES, BATCH_SIZE = 20_371, 527, 1024
LABELS_PER_CLIP = 3.4  # YouTube-8M's


def results() -> list[Result]:
    """All figures of a table, accumulated in batches and computed, and a sort of the same table's columns."""
    batches = [*made_batches(NUM_CLIPS, NUM_CLASSES)]
    table = np.concatenate([batch.probabilities for batch in batches])

    def evaluating() -> int:
        accumulator = ExactAccumulator(NUM_CLASSES)
        for batch in batches:
            accumulator.add(batch)
        accumulator.compute()
        return len(table)

    def sorting() -> int:
        np.sort(table, axis=0)
        return len(table)

    limit, rate = alternately(sorting, evaluating)
    return [Result("all figures of 20,371 x 527", rate, "clips/s", "sort of each class", limit)]


def made_batches(num_clips: int, num_classes: int) -> Iterator[Scores]:
    """Batches as a model with some skill would score them; classes differ in how often they are true."""
    generator = np.random.default_rng(0)
    frequency = 1 / np.arange(1, num_classes + 1)
    frequency = np.minimum(frequency * LABELS_PER_CLIP / frequency.sum(), 0.5).astype(np.float32)  # (C,)
    prior = np.log(frequency / (1 - frequency))  # (C,)
    for start in range(0, num_clips, BATCH_SIZE):
        shape = min(BATCH_SIZE, num_clips - start), num_classes
        labels = (generator.random(shape, np.float32) < frequency).view(np.uint8)
        logits = generator.standard_normal(shape, np.float32)
        logits *= 1.5
        logits += prior
        logits += np.float32(3) * labels
        np.exp(np.negative(logits, out=logits), out=logits)
        probabilities = np.reciprocal(np.add(logits, 1, out=logits), out=logits)
        ids = np.arange(start, start + shape[0]).astype("S8").astype(object)
        yield Scores(probabilities, labels, 1.0, None, ids, np.zeros(shape[0], np.float32))


def main(num_clips: int, num_classes: int, max_mib: int) -> None:
    """Evaluates a made set that does not fit; prints seconds, memory above the imports, and the figures."""
    imported, begun, making = largest(), time.perf_counter(), 0.0
    accumulator = fitting_accumulator(num_clips, num_classes, max_mib * MIB)
    batches = made_batches(num_clips, num_classes)
    for _ in range(math.ceil(num_clips / BATCH_SIZE)):
        asked = time.perf_counter()
        batch = next(batches)
        making += time.perf_counter() - asked
        accumulator.add(batch)
    added = time.perf_counter()
    figures = accumulator.compute()
    ended = time.perf_counter()
    for name, value in figures.items():
        print(f"{name:32s}{value:.6f}")
    print(f"{ended - begun:.1f} s, of which {making:.1f} s to make the batches and {ended - added:.1f} s to compute")
    print(f"{(largest() - imported) / MIB:.0f} MiB above the imports, {max_mib} MiB asked for")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
