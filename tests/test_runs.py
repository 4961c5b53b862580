"""`python -m yt8m_audio runs`: what there is below a folder, in a table, damaged or not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from yt8m_audio.__main__ import main_of_command
from yt8m_audio.commands.runs import Run, differing_settings, unusual_settings
from yt8m_audio.config import Config, DataConfig, ModelConfig, TrainConfig
from yt8m_audio.errors import UserError

FIGURES = {"mAP": 0.25, "auc": 0.9, "gap@20": 0.5, "hit@1": 0.75, "loss": 8.5}


def make_run(folder, validation=FIGURES, steps=(100, 200), **train):
    """A run directory as train.py leaves it, of 200 steps; with figures of a validation at its end, or None."""
    (folder / "checkpoints").mkdir(parents=True)
    config = Config(DataConfig(num_classes=5), ModelConfig("MoeModel", {"moe_num_mixtures": 2}), TrainConfig(**train))
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), "label_map": None, "versions": {}}))
    for step in steps:
        (folder / "checkpoints" / f"step-{step:08d}.npz").write_bytes(b"nothing that is read")
    records = [{"part": "train", "step": 150, "Loss": 9.0, "Hit@1": 0.5}]
    if validation:
        (folder / "checkpoints" / "best.json").write_text('{"step": 100, "metric": "mAP", "value": 0.3}')
        records += [{"part": "validation", "step": 100, **FIGURES, "mAP": 0.3}]
        records += [{"part": "validation", "step": 200, **validation, "Loss": 1.0, "GAP": 0.5}]
        records += [{"part": "eval", "step": 200, "mAP": 0.99}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def write_eval(folder, value, ids="ab"):
    (folder / "eval").mkdir()
    (folder / "eval" / "metrics.json").write_text(
        json.dumps({"clips": 3, "mAP": value, "step": 100, "ids_sha256": ids})
    )


def table(capsys, *arguments):
    """Rows of what is printed, in words, and the lines of stderr."""
    assert main_of_command(["yt8m_audio", "runs", *map(str, arguments)]) == 0
    said = capsys.readouterr()
    return [line.split() for line in said.out.splitlines() if line.strip()], said.err.splitlines()


def as_json(capsys, *arguments):
    assert main_of_command(["yt8m_audio", "runs", "--json", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def rows(capsys, *arguments):
    """The same by the runs' names."""
    return {run["run"]: run for run in as_json(capsys, *arguments)}


def test_the_table(tmp_path, capsys):
    write_eval(make_run(tmp_path / "first", base_learning_rate=0.01), 0.4)
    make_run(tmp_path / "sweeps" / "second", {**FIGURES, "mAP": 0.35}, steps=(1000, 20_000), base_learning_rate=0.001)
    lines, warnings = table(capsys, tmp_path)
    assert lines[0] == [
        "run",
        "model",
        "steps",
        "best",
        "mAP",
        "auc",
        "gap@20",
        "hit@1",
        "loss",
        "eval",
        "mAP",
        "eval",
        "clips",
    ]
    best, figures = ["mAP=0.3000", "at", "100"], ["0.9000", "0.5000", "0.7500", "8.5000"]
    assert lines[2:4] == [
        ["sweeps/second", "MoeModel", "20,000", *best, "0.3500", *figures],
        ["first", "MoeModel", "200", *best, "0.2500", *figures, "0.4000", "3"],
    ]
    assert " ".join(lines[4]) == "Settings in which they differ"
    assert lines[-2:] == [["sweeps/second", "base_learning_rate=0.001"], ["first", "base_learning_rate=0.01"]]
    assert warnings == []


def test_runs_that_were_evaluated_on_different_clips(tmp_path, capsys):
    for name, ids in (("one", "ab"), ("other", "ab"), ("third", "cd")):
        write_eval(make_run(tmp_path / name), 0.4, ids)
        words = " ".join(" ".join(line) for line in table(capsys, tmp_path)[0])
        assert ("eval mAPs do not compare" in words) is (name == "third")


def test_json(tmp_path, capsys):
    write_eval(make_run(tmp_path / "one", seed=1), 0.4)
    make_run(tmp_path / "other", validation=None, steps=(), seed=2)
    assert as_json(capsys, tmp_path) == [
        {
            "run": "one",
            "model": "MoeModel",
            "steps": 200,
            "best": {"metric": "mAP", "value": 0.3, "step": 100},
            "validation": {"step": 200, **FIGURES},
            "eval": {"step": 100, "mAP": 0.4, "clips": 3, "ids_sha256": "ab"},
            "settings": {"seed": 1},
            "warnings": [],
        },
        {
            "run": "other",
            "model": "MoeModel",
            "steps": 150,
            "best": {},
            "validation": {},
            "eval": {},
            "settings": {"seed": 2},
            "warnings": [],
        },
    ]


@pytest.mark.parametrize(
    ("sort", "order"),
    [(None, "cabd"), ("mAP", "cabd"), ("loss", "bacd"), ("hit@1", "abcd"), ("eval_mAP", "bcad")],
)
def test_the_best_comes_first_and_what_is_not_known_last(sort, order, tmp_path, capsys):
    make_run(tmp_path / "a", {**FIGURES, "loss": 2.0})
    write_eval(make_run(tmp_path / "b", {**FIGURES, "mAP": 0.1, "loss": 1.0}), 0.9)
    write_eval(make_run(tmp_path / "c", {**FIGURES, "mAP": 0.5, "loss": None}), 0.8)
    make_run(tmp_path / "d", validation=None)
    asked = [f"--sort={sort}"] if sort else []
    assert "".join(run["run"] for run in as_json(capsys, tmp_path, *asked)) == order


def test_which_folders_are_looked_at(tmp_path, capsys):
    for name in ("b", "b/inside/deeper", "1/2/3", "1/2/3/4", ".partial-7-b"):
        make_run(tmp_path / name)
    make_run(tmp_path / "elsewhere" / "checkpoints")
    (tmp_path / "b" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "not_a_run").mkdir()
    names = {run["run"] for run in as_json(capsys, tmp_path)}
    assert names == {"b", "b/inside/deeper", "1/2/3", "elsewhere/checkpoints"}
    assert [run["run"] for run in as_json(capsys, tmp_path / "1/2/3/4")] == ["."]


def test_columns_that_no_run_has_are_left_out(tmp_path, capsys):
    make_run(tmp_path / "run", validation=None)
    lines, _ = table(capsys, tmp_path)
    assert lines[0] == ["run", "model", "steps"]
    assert lines[2:] == [["run", "MoeModel", "200"]]


def test_settings_of_one_model_alone_do_not_count():
    runs = [
        Run("a", settings={"model": "A", "cells": 8, "seed": 1, "rate": 0.1, "unset": None}),
        Run("b", settings={"model": "B", "seed": 1, "rate": 0.2, "unset": ""}),
        Run("damaged"),
    ]
    assert differing_settings(runs) == ["rate", "unset"]


def test_what_most_runs_have_is_not_shown():
    runs = [Run(str(seed), settings={"rate": 0.1, "seed": seed}) for seed in (1, 1, 2, 3)]
    assert unusual_settings(runs) == [{"seed": seed} for seed in (1, 1, 2, 3)]
    runs = [Run(str(rate), settings={"rate": rate}) for rate in (0.1, 0.1, 0.2)]
    assert unusual_settings(runs) == [{}, {}, {"rate": 0.2}]


@pytest.mark.parametrize(
    ("file", "content", "lost", "said"),
    [
        ("config.json", '{"data": {', {"model": ""}, "config.json is damaged"),
        ("config.json", "", {"model": ""}, "config.json is damaged"),
        ("config.json", "[1]", {"model": ""}, "config.json is damaged"),
        ("config.json", "{}", {"model": ""}, "config.json has no data and no model and no train"),
        ("config.json", '{"data": {}, "model": [], "train": {}}', {"model": ""}, "config.json is damaged"),
        (
            "config.json",
            '{"data": {}, "model": {"hyper_parameters": null}, "train": {}}',
            {"model": ""},
            "config.json is damaged",
        ),
        ("checkpoints/best.json", '{"step": 1', {"best": {}}, "checkpoints/best.json is damaged"),
        (
            "checkpoints/best.json",
            '{"step": "x", "metric": "mAP", "value": NaN}',
            {"best": {"metric": "mAP", "step": None, "value": None}},
            None,
        ),
        ("eval/metrics.json", "\0\0\0", {"eval": {}}, "eval/metrics.json is damaged"),
        ("metrics.jsonl", "\ufffd{}[", {"validation": {}}, "metrics.jsonl is damaged, or being written, in line 1:"),
        (
            "metrics.jsonl",
            '{"part": "validation", "step": 9, "mAP": 0.125, "auc": "high", "loss": null}\n[]\n{"part": "val',
            {"validation": {"step": 9, "mAP": 0.125, "auc": None, "gap@20": None, "hit@1": None, "loss": None}},
            "metrics.jsonl is damaged, or being written, in line 2, and 1 more:",
        ),
    ],
)
def test_what_is_damaged_is_told_and_the_rest_is_shown(file, content, lost, said, tmp_path, capsys):
    write_eval(make_run(tmp_path / "run"), 0.4)
    make_run(tmp_path / "whole")
    expected = {**rows(capsys, tmp_path)["run"], **lost}
    (tmp_path / "run" / file).write_text(content, encoding="utf-8")
    found = rows(capsys, tmp_path)["run"]
    warnings = found["warnings"]
    assert {**found, "settings": {}, "warnings": []} == expected
    assert [said in each for each in warnings] == ([True] if said else [])
    lines, shown = table(capsys, tmp_path)
    assert {line[0] for line in lines} >= {"run", "whole"}
    assert shown == [f"warning: {tmp_path}/run: {each}" for each in warnings]


def test_a_file_that_is_a_folder(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").mkdir()
    _, warnings = table(capsys, tmp_path)
    assert len(warnings) == 1
    assert re.search("run: metrics.jsonl cannot be read: Is a directory", warnings[0])


@pytest.mark.parametrize(
    ("folder", "asked", "said"),
    [
        (".", [], "holds no run, nor do the 3 levels"),
        ("missing", [], "missing is no folder"),
        (".", ["--sort=map"], r"--sort=map is none of mAP, auc, .*eval_mAP.* Did you mean mAP\?"),
    ],
)
def test_mistakes(folder, asked, said, tmp_path):
    with pytest.raises(UserError, match=said):
        main_of_command(["yt8m_audio", "runs", str(tmp_path / folder), *asked])


def test_it_runs_without_tensorflow(tmp_path):
    make_run(tmp_path / "run")
    code = (
        "import atexit, os, sys; from yt8m_audio.__main__ import main\n"
        "atexit.register(lambda: {'tensorflow', 'keras'} & set(sys.modules) and os._exit(3)); main()"
    )
    command = [sys.executable, "-c", code, "runs", str(tmp_path)]
    assert subprocess.run(command, cwd=Path(__file__).parents[1]).returncode == 0
