"""The command killed at random moments: what it leaves in the end has the bytes of an undisturbed run's files."""

import functools
import multiprocessing
import os
import time

import numpy as np
import pytest

from tests.test_scripts import data, trained  # noqa: F401  fixtures
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard

KILLS, CLIPS = 20, 2_400
SAVE_SECONDS = 0.02
SHARE = 0.15  # of an undisturbed run's time, that a process lives at most once it writes


def predict(run, records, output, *more):
    """Runs inference.py's main, which notes how far it is many times a second."""
    import inference
    from yt8m_audio.commands import inference as command

    command.BatchInference = functools.partial(command.BatchInference, save_seconds=SAVE_SECONDS)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    flags = (f"--train_dir={run}", f"--input_data_pattern={records}", f"--output_file={output}")
    inference.main(["inference.py", *flags, "--batch_size=4", *more])


@pytest.fixture(scope="module")
def start():
    """Starts `predict` in a process that has TensorFlow already and computed nothing with it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "yt8m_audio.commands.inference", "models"])

    def started(*arguments):
        process = context.Process(target=predict, args=arguments)
        process.start()
        return process

    return started


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path, random = tmp_path_factory.mktemp("records") / "a.tfrecord", np.random.default_rng(0)
    frames = random.integers(0, 256, (100, 10, 128), np.uint8)
    write_shard(str(path), [audioset_record(f"c{i}", [i % 5], frames[i % 100]) for i in range(CLIPS)])
    return path


def wait_for_writing(process, folder):
    """Waits until a process has written into a folder since it was started, or has ended."""
    begun = time.time_ns()
    while process.is_alive() and not any(newest(each) > begun for each in folder.iterdir()):
        time.sleep(0.002)


def newest(path):
    """When a file was written last; 0 where it is gone."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), [("p.csv", ()), ("p-@3.csv.gz", ()), ("p.npz", ("--output=scores",))])
def test_killed_at_random_20_times(name, more, start, trained, records, tmp_path):  # noqa: F811
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    process = start(trained, records, whole / name, *more)
    wait_for_writing(process, whole)
    begun = time.monotonic()
    process.join()
    lasted, killed = time.monotonic() - begun, 0
    for share in np.random.default_rng(0).uniform(0, SHARE, KILLS):
        process = start(trained, records, stopped / name, *more)
        wait_for_writing(process, stopped)
        time.sleep(lasted * share)
        process.kill()
        process.join()
        killed += process.exitcode < 0
    process = start(trained, records, stopped / name, *more)
    process.join()
    assert (process.exitcode, killed >= KILLS // 2) == (0, True)
    assert content(stopped) == content(whole)
