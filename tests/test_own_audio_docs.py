"""docs/own_audio.md: its shell commands, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "own_audio.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
FLAG = re.compile(r"--([a-z_]+)")


@pytest.fixture
def folder(tmp_path):
    """A folder in which the page's commands find what they find in the repository's."""
    for name in ("train.py", "eval.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.slow
def test_the_page(folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    commands = "\n".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    done = subprocess.run(["bash", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    tables = done.stdout.partition("over time, each 3 s by itself, every 1 s")[2].split("new/")[1:]
    truth = dict(re.findall(r"new/(sound-\d+).wav  ([A-Z].*)", done.stdout))
    assert len(tables) == len(truth) == 3
    for table in tables:
        best = re.search(r"[\d.]+  (\w+)", table.splitlines()[2]).group(1)
        assert best in truth[table[:9]].split("; ")
    for name in truth:
        assert matplotlib.image.imread(folder / "pictures" / f"{name}.png").shape == (800, 1200, 4)
        assert {each.suffix for each in (folder / "tags").glob(f"{name}.*")} == {".json", ".txt", ".csv"}


def test_what_the_page_names_is_there():
    from yt8m_audio.commands import extract, tag

    text = PAGE.read_text(encoding="utf-8")
    for command, flags in (("tag", tag.TagFlags), ("extract", extract.ExtractFlags)):
        lines = [line for line in text.splitlines() if f"yt8m_audio {command} " in line]
        named = {flag for line in lines for flag in FLAG.findall(line.partition(f"yt8m_audio {command} ")[2])}
        assert lines
        assert named <= set(flags.__dataclass_fields__), command
