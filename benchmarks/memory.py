"""How much memory does it take? Streaming, whatever the number of shards, and all of AudioSet's size from memory.

Each is measured in a process of its own: the largest it grew to, less what a process has that only starts TensorFlow.
The data set of full size is made of the balanced split over and over, 2.08 million clips in 3.2 GB of shards.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.datasets import audioset_pattern
from benchmarks.measure import Result
from yt8m_audio.records import find_shards

FULL_CLIPS = 2_084_320  # 22,160 + 20,371 + 2,041,789
STREAMING_LIMIT, FULL_LIMIT = 1.0, 6.0  # GiB
BATCH_SIZE, VIDEO_BATCH_SIZE, STEPS = 1024, 128, 100
GIB = 1 << 30


def results(videos: str, folder: str) -> list[Result]:
    """Largest resident memory in GiB beside what was allowed; a ratio under 1 is within it."""
    full = full_size(Path(folder, "full"))
    start = grown("start")
    cases = [
        ("streaming bal_train, 4,070 shards", "stream", audioset_pattern(), BATCH_SIZE, start, STREAMING_LIMIT),
        ("streaming full size, 94 shards", "stream", full, BATCH_SIZE, start, STREAMING_LIMIT),
        ("streaming YouTube-8M frames", "stream", videos, VIDEO_BATCH_SIZE, start, STREAMING_LIMIT),
        ("streaming YouTube-8M frames, batch 1024", "stream", videos, BATCH_SIZE, start, STREAMING_LIMIT),
        ("training full size from memory, in all", "train", full, BATCH_SIZE, 0.0, FULL_LIMIT),
    ]
    return [
        Result(f"memory: {name}", 1024 * (grown(work, pattern, batch_size) - less), "MiB", "allowed", 1024 * limit)
        for name, work, pattern, batch_size, less, limit in cases
    ]


def full_size(folder: Path) -> str:
    """Writes shards with as many clips as all of AudioSet: each holds the balanced split once."""
    folder.mkdir()
    content = b"".join(Path(path).read_bytes() for path in find_shards(audioset_pattern(), "AUDIOSET_DIR"))
    for number in range(FULL_CLIPS // 22_160):
        (folder / f"{number:02d}.tfrecord").write_bytes(content)
    return f"{folder}/*.tfrecord"


def grown(work: str, *arguments) -> float:
    """The largest a process grows to that does some work, in GiB."""
    command = [sys.executable, "-m", "benchmarks.memory", work, *map(str, arguments)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main(work: str, *arguments: str) -> None:
    """What the process of `grown` does: some work, and then tells how large it has become."""
    import keras  # noqa: F401  a process that trains has it
    import tensorflow as tf

    tf.constant(0).numpy()
    if work == "stream":
        stream(arguments[0], int(arguments[1]))
    if work == "train":
        train(arguments[0], int(arguments[1]))
    print(largest() / GIB)


def largest() -> int:
    """The most memory that this process has had resident, in bytes; getrusage's also counts who started it."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(lines["VmHWM"].split()[0])


def stream(pattern: str, batch_size: int) -> None:
    """Reads shuffled batches, and lets go of each before it takes the next, as the training loop does."""
    from benchmarks.datasets import opened
    from benchmarks.reading import read

    read(opened(pattern).shuffled(batch_size, 100, seed=0).take(STEPS), STEPS * batch_size)


def train(pattern: str, batch_size: int) -> None:
    """Trains from memory."""
    import tensorflow as tf

    from benchmarks.datasets import opened
    from benchmarks.training import train_call
    from yt8m_audio.batch import HOST_KEYS

    clips = opened(pattern).in_memory()
    call = train_call("FrameLevelLogisticModel", clips, batch_size)
    call.run(iter(clips.shuffled(batch_size, 1, seed=0, without=HOST_KEYS)), tf.constant(STEPS))


if __name__ == "__main__":
    main(*sys.argv[1:])
