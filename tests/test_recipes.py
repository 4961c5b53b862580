"""Recipes are command lines that train.py takes, and say what they cost and give."""

import re
from pathlib import Path

import pytest

from yt8m_audio import flags

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.cfg"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_a_command_line(path):
    request = flags.parse_train(["train.py", f"--flagfile={path}", "--train_dir=/nowhere"])
    assert {"model", "batch_size", "num_epochs"} <= request.given
    assert request.config.train.precision == "mixed_bfloat16"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_its_head(path):
    head = path.read_text().partition("\n--")[0]
    for word in ("Paper:", "Cost:", "Score:", f"Command:  python train.py --flagfile=recipes/{path.name} "):
        assert f"# {word}" in head
    assert not re.search(r"(COST|SCORE)\d", head)
    assert f"[{path.stem}](../recipes/{path.name})" in (ROOT / "docs" / "training.md").read_text()
