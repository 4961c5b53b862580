"""Does training wait for its input? The time that steps of FrameLevelLogisticModel stand still for the next batch."""

import time

import tensorflow as tf

from benchmarks.datasets import audioset_pattern, opened
from benchmarks.measure import Result
from benchmarks.training import train_call
from readers import Clips
from yt8m_audio.batch import HOST_KEYS

BATCH_SIZE, STEPS, SKIPPED = 1024, 200, 10
MODEL = "FrameLevelLogisticModel"


def results(repacked: str) -> list[Result]:
    """From each source: of a hundred seconds, those that the steps are at work."""
    streamed, small = opened(audioset_pattern()), opened(repacked)
    sources = {"as released": streamed, "in 16 shards": small, "in memory": small.in_memory()}
    return [
        Result(f"training {MODEL}, bal_train {name}: time at work", working(clips), "%", "all of the time", 100.0)
        for name, clips in sources.items()
    ]


def working(clips: Clips) -> float:
    """Percent of the time that is spent in steps rather than in waiting for a batch."""
    step_on = tf.function(train_call(MODEL, clips, BATCH_SIZE).replica_step)
    epochs = 1 + (STEPS + SKIPPED) * BATCH_SIZE // len(clips)
    batches = iter(clips.shuffled(BATCH_SIZE, epochs, seed=0, without=HOST_KEYS))
    waited, begun = 0.0, 0.0
    for step in range(STEPS + SKIPPED):
        if step == SKIPPED:
            waited, begun = 0.0, time.perf_counter()
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        step_on(batch)
    return 100 * (1 - waited / (time.perf_counter() - begun))
