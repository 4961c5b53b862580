"""Predictions on other file systems: the bytes of those here, gone on with, whole or not there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.buckets import GoogleBucket
from tests.test_batch_inference import StoppedError, inference, names, ragged, stop_after  # noqa: F401  a fixture
from tests.test_scripts import data, error_of, predict, trained  # noqa: F401  fixtures
from yt8m_audio.paths import path_of
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.output_shards import output_shards
from yt8m_audio.prediction.scores_npz import ScoresNpz

ROOT = Path(__file__).parents[1]
NUM_CLIPS = 152


@pytest.fixture
def remote(tmp_path):
    """A folder of ram://, TensorFlow's own within a process, of this test alone."""
    folder = f"ram://predictions-{tmp_path.name}"
    path_of(folder).mkdir()
    return folder


def content(folder):
    return {path.name: path.read_bytes() for path in path_of(str(folder)).iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize(
    ("name", "output"), [("p.csv", LabelsCsv()), ("p-@3.csv.gz", LabelsCsv()), ("p-@2.npz", ScoresNpz(5))]
)
def test_an_interrupted_run_goes_on_here_and_ends_there(name, output, ragged, remote, tmp_path):  # noqa: F811
    here, staging = tmp_path / "here", tmp_path / "staging"
    here.mkdir()
    inference(ragged, output).run(output_shards(str(here / name), NUM_CLIPS))
    shards = output_shards(f"{remote}/{name}", NUM_CLIPS)
    for batches in np.random.default_rng(0).integers(3, 15, 5):
        with pytest.raises(StoppedError):
            inference(ragged, output, staging=staging, progress=stop_after(batches)).run(shards)
    assert inference(ragged, output, staging=staging).run(shards) < NUM_CLIPS
    assert content(remote) == content(here)
    assert names(staging) == []


def test_whole_shards_are_counted_and_left(ragged, remote, tmp_path):  # noqa: F811
    shards, said = output_shards(f"{remote}/p-@2.csv", NUM_CLIPS), []
    assert inference(ragged, LabelsCsv(), staging=tmp_path / "a").run(shards) == NUM_CLIPS
    path_of(f"{remote}/p-00001-of-00002.csv").upload(__file__)
    again = inference(ragged, LabelsCsv(), staging=tmp_path / "b", say=said.append)
    assert again.run(shards) == NUM_CLIPS / 2
    assert said == [f"{remote}/p-00000-of-00002.csv is whole already: 76 clips."]


def test_the_script_writes_to_another_file_system(trained, data, remote, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("YT8M_AUDIO_CACHE", str(tmp_path / "cache"))
    for place in (tmp_path, remote):
        assert predict(trained, data, f"{place}/p.csv") == 0
    assert content(remote)["p.csv"] == (tmp_path / "p.csv").read_bytes()
    assert predict(trained, data, f"{remote}/tracks", "--output=audacity") == 2
    assert "a folder of label tracks is written on this machine alone" in error_of(capsys)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")
def test_shards_in_a_bucket(trained, data, tmp_path):  # noqa: F811
    flags = (f"--train_dir={trained}", f"--input_data_pattern={data}/eval*.tfrecord", "--batch_size=4")
    command = [sys.executable, "inference.py", *flags, "--output_file=gs://bucket/out/p-@2.csv"]
    assert predict(trained, data, tmp_path / "p-@2.csv", "--batch_size=4") == 0
    with GoogleBucket(tmp_path) as store:
        environment = {**os.environ, **store.environment, "YT8M_AUDIO_CACHE": str(tmp_path / "cache")}
        for said in ("Predicted 23 clips", "All 23 clips are in gs://bucket/out/p-@2.csv already."):
            done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
            assert (said in done.stdout, done.returncode) == (True, 0), done.stderr
        found = {Path(name).name: content for name, content in store.objects.items() if "/p-" in name}
    assert found == {path.name: path.read_bytes() for path in tmp_path.glob("p-*.csv")}
