"""docs/adding_a_model.md, run as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding_a_model.md"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def repository(tmp_path):
    """A folder in which the page's commands find what they find in the repository's."""
    for name in ("train.py", "eval.py", "inference.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.slow
def test_the_page(repository):
    (_, model), *rest = BLOCK.findall(PAGE.read_text())
    assert [kind for kind, _ in rest] == ["sh", "sh", "python"]
    (repository / "mean_and_max.py").write_text(model)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    said = []
    for kind, block in rest:
        command = ["bash", "-ec", block] if kind == "sh" else [sys.executable, "-c", block]
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        said.append(done.stdout)
    shown, trained, loaded = said
    assert "--hidden_units" in shown
    assert "Trained" in trained
    assert "mAP" in trained
    assert "exported: features uint8 [B, 10, 128]" in trained
    assert (repository / "runs" / "mean_and_max" / "predictions.csv").stat().st_size > 1000
    assert loaded.strip().endswith("(2, 527)")
