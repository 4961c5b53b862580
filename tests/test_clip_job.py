"""deploy/slurm/clips.sbatch, run as SLURM would, with stand-ins for the interpreter and scontrol."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "deploy" / "slurm" / "clips.sbatch"
ARRAY = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_ARRAY_JOB_ID": "77"}
PYTHON = """#!{python} -SE
import os, signal, sys, time
print(*sys.argv[1:], flush=True)
if "WAIT" in os.environ:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    time.sleep(60)
sys.exit(int(os.environ.get("STATUS", 0)))
"""


@pytest.fixture
def job(tmp_path):
    """Starts the script: `job("list.csv", "out", STATUS="75")`."""
    for name, text in (("python", PYTHON), ("scontrol", "#!/bin/sh\necho scontrol $*\n")):
        (tmp_path / name).write_text(text.format(python=sys.executable))
        (tmp_path / name).chmod(0o755)
    ours = {"PYTHON": str(tmp_path / "python"), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    def start(*arguments, **environment):
        environment = {**os.environ, **ours, **environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(["bash", SCRIPT, *arguments], env=environment, **pipes)

    return start


def test_a_task_takes_its_shard(job):
    said, _ = job("list.csv", "out", "--workers=2", **ARRAY).communicate()
    assert said == "-m yt8m_audio clips list.csv out --workers=2 --shard=3/16\n"


@pytest.mark.parametrize(("status", "again"), [("0", False), ("75", True), ("2", False)])
def test_a_task_that_was_refused_is_queued_again(job, status, again):
    process = job("list.csv", "out", **ARRAY, STATUS=status)
    said, _ = process.communicate()
    assert process.returncode == int(status)
    assert ("scontrol requeue 77_3" in said) is again


def test_a_signal_is_passed_on_and_the_task_queued_again(job):
    process = job("list.csv", "out", **ARRAY, WAIT="1")
    process.stdout.readline()
    time.sleep(0.2)  # until the trap is set and the stand-in has its own
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "scontrol requeue 77_3" in said


def test_the_merge_after_it(job):
    said, _ = job("merge", "out").communicate()
    assert said == "-m yt8m_audio clips merge out\n-m yt8m_audio clips report out\n"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([], ARRAY),
        (["list.csv"], ARRAY),
        (["list.csv", "out"], {}),
        (["merge", "out", "more"], {}),
        (["list.csv", "out"], {**ARRAY, "SLURM_ARRAY_TASK_MIN": "1"}),
        (["list.csv", "out"], {**ARRAY, "SLURM_ARRAY_TASK_STEP": "2"}),
    ],
)
def test_a_wrong_call(job, arguments, environment):
    process = job(*arguments, **environment)
    assert "usage" in process.communicate()[1]
    assert process.returncode == 2
