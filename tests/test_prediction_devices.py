"""Several devices predict the lines of one, whatever it is that predicts."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_scripts import data, error_of, predict, trained  # noqa: F401  fixtures
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.prediction.dealing import in_groups

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("count", "groups"), [(0, []), (2, [[0, 1]]), (5, [[0, 1], [2, 3], [4]])])
def test_elements_are_put_in_groups(count, groups):
    assert list(in_groups(range(count), 2)) == groups


def lines_of(path):
    lines = [line.partition(",") for line in path.read_text().splitlines()[1:]]
    return {name: [float(each) for each in pairs.split()] for name, _, pairs in lines}


@pytest.mark.parametrize("exported", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_devices_predict_the_lines_of_one(exported, trained, data, tmp_path):  # noqa: F811
    source = f"--train_dir={trained}"
    if exported:
        assert main_of_command(["yt8m_audio", "export", str(trained), str(tmp_path / "served")]) == 0
        source = f"--input_model={tmp_path}/served"
    assert predict("", data, tmp_path / "one.csv", source, "--batch_size=4") == 0
    flags = (f"--input_data_pattern={data}/eval*.tfrecord", f"--output_file={tmp_path}/two.csv", "--batch_size=4")
    command = [sys.executable, "inference.py", source, *flags, "--num_cpu_devices=2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    one, two = lines_of(tmp_path / "one.csv"), lines_of(tmp_path / "two.csv")
    assert list(two) == list(one)
    assert all(two[name] == pytest.approx(one[name], abs=2e-6) for name in one)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--strategy=multi_worker", "Several machines predict each by itself"),
        ("--strategy=cpus", "--strategy=cpus is none of auto"),
        ("--num_gpu=2", "needs 2 GPUs"),
        ("--num_cpu_devices=0", "--num_cpu_devices=0 must be at least 1"),
    ],
)
def test_devices_that_there_are_not(flag, said, trained, data, tmp_path, capsys):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", flag) == 2
    assert said in error_of(capsys)
