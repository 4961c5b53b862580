"""extract as it is typed: what it says, its exit status; and runs, which remember what their features came from."""

import csv
import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import eval as eval_script
import inference
import train
from yt8m_audio import flags
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.examples import audioset_record
from yt8m_audio.feature_source import NOTE, feature_source_of, write_feature_source
from yt8m_audio.records import write_shard

ROOT = Path(__file__).parents[1]
NOTED = LogMelStatistics().described()
OTHER = dataclasses.replace(NOTED, name="vggish", hop_seconds=0.96, digest="0a")


def typed(main, *arguments):
    """Runs a script as it is typed; returns the exit status."""
    with pytest.raises(SystemExit) as exit_info:
        flags.run(main, ["x", *map(str, arguments)])
    return exit_info.value.code or 0


def extract(*arguments):
    return typed(main_of_command, "extract", *arguments)


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A folder `sounds` of twelve whistles and hums of two seconds, with `labels.csv`."""
    monkeypatch.chdir(tmp_path)
    Path("sounds").mkdir()
    times = np.arange(32_000) / 16_000
    with open("labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "labels"))
        for number in range(12):
            kind, pitch = (("whistle", 2_000), ("low hum", 150))[number % 2]
            sound = 0.3 * np.sin(2 * np.pi * (pitch + 20 * number) * times)
            soundfile.write(f"sounds/{number:02d}.flac", sound, 16_000)
            writer.writerow((f"{number:02d}.flac", kind))
    return tmp_path


def test_from_recordings_to_a_model_as_printed(recordings, capsys):
    arguments = ["sounds", "records", "--embedding=log_mel_statistics", "--labels=labels.csv", "--make_label_map"]
    assert extract(*arguments, "--workers=1") == 0
    said = capsys.readouterr().out
    assert "Wrote 12 clips of 2 classes to records, in 1 shard; audio_embedding uint8 [2, 128]." in said
    command = shlex.split(re.search("Next: python train.py (.*)", said)[1])
    assert typed(train.main, *command, "--num_epochs=2", "--train_dir=run") == 0
    assert json.loads(Path("run/config.json").read_text())["data"]["feature_source"] == dataclasses.asdict(NOTED)
    assert Path("records/class_labels_indices.csv").read_text() == "index,display_name\n0,low hum\n1,whistle\n"


def test_what_failed_is_in_the_exit_status_and_on_one_line(recordings, capsys):
    Path("sounds/12.flac").write_bytes(b"")
    Path("sounds/13.flac").write_text("no sound at all")
    assert extract("sounds", "records", "--embedding=log_mel_statistics", "--workers=1", "--shards=3") == 1
    said = capsys.readouterr()
    assert re.search(r"failed: 2 sounds \(1 \w+, 1 \w+\); see records/manifest.csv", said.err)
    assert "without a label: 14 of 14 clips" in said.err
    assert "python inference.py" in said.out
    assert extract("sounds", "records", "--embedding=log_mel_statistics", "--workers=1", "--shards=3") == 1
    assert "Of 14 sounds all had been done before." in capsys.readouterr().out


def test_a_process_that_is_killed_goes_on(recordings):
    code = "import sys; from yt8m_audio import flags; from yt8m_audio.__main__ import main_of_command;"
    code += "import yt8m_audio.commands.extract as e, os;"
    code += "e.show = lambda line, total, begun, done, seconds: os._exit(9) if done == 7 else None;"
    code += "flags.run(main_of_command, sys.argv)"
    arguments = ["extract", "sounds", "records", "--embedding=log_mel_statistics", "--workers=1"]
    run = [sys.executable, "-c", code, *arguments]
    assert subprocess.run(run, cwd=recordings, env={"PYTHONPATH": str(ROOT)}).returncode == 9
    assert not Path("records").exists()
    assert extract(*arguments[1:]) == 0
    assert extract("sounds", "whole", *arguments[3:]) == 0
    for path in Path("whole").iterdir():
        assert path.read_bytes() == Path("records", path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sounds", "out"], "--embedding is missing"),
        (["sounds", "out", "--embedding=vgish"], "Did you mean vggish"),
        (["sounds", "out", "--embedding=log_mel_statistics", "--decoder=ffmeg"], "Did you mean ffmpeg"),
        (["sounds", "out", "--embedding=log_mel_statistics", "--hop_seconds=0"], "must be above 0"),
        (["sounds", "out", "--embedding=log_mel_statistics", "--shards=13"], "at most the number of clips, 12"),
        (["nothing", "out", "--embedding=log_mel_statistics"], "nothing matches no file"),
        (["", "out", "--embedding=log_mel_statistics"], "'' names no sound: give files"),
        (["labels.csv", "out", "--embedding=log_mel_statistics"], "None of the 12 files of labels.csv is there"),
        (["labels.csv", "out", "--embedding=log_mel_statistics", "--clips=sounds"], "'low hum' is no class of"),
        (["sounds", "s3://bucket/out", "--embedding=log_mel_statistics"], "to a folder of this machine"),
        (["sounds", ".", "--embedding=log_mel_statistics"], "is there already, and is none of this command"),
    ],
)
def test_mistakes_are_one_line(recordings, arguments, said, capsys):
    assert extract(*arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


# Runs and where their features come from


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """Records with the note of one source, of another, and without any; and a run that was trained on the first."""
    folder, random = tmp_path_factory.mktemp("noted"), np.random.default_rng(0)
    for name, source in (("ours", NOTED), ("theirs", OTHER), ("plain", None)):
        (folder / name).mkdir()
        frames = random.integers(0, 256, (20, 3, 8), np.uint8)
        write_shard(str(folder / name / "0.tfrecord"), [audioset_record(f"{i}", [i % 3], frames[i]) for i in range(20)])
        if source:
            write_feature_source(folder / name, source)
    assert typed(train.main, *training(folder, "ours", "run")) == 0
    return folder


def training(folder, name, run, *more):
    pattern = f"--train_data_pattern={folder}/{name}/*.tfrecord"
    settings = ["--num_classes=3", "--batch_size=8", "--num_epochs=1", "--model=FrameLevelLogisticModel"]
    return [pattern, f"--train_dir={folder / run}", *settings, *more]


@pytest.mark.parametrize(("name", "status"), [("ours", 0), ("plain", 0), ("theirs", 2)])
def test_a_run_is_fed_no_other_features(noted, name, status, tmp_path, capsys):
    pattern = f"{noted}/{name}/*.tfrecord"
    run = f"--train_dir={noted}/run"
    assert typed(eval_script.main, run, f"--eval_data_pattern={pattern}") == status
    output = f"--output_file={tmp_path}/p.csv"
    assert typed(inference.main, run, f"--input_data_pattern={pattern}", output) == status
    validated = training(noted, "ours", f"validated-{name}", f"--validation_data_pattern={pattern}")
    assert typed(train.main, *validated) == status
    errors = capsys.readouterr().err
    for flag in ("eval_data_pattern", "input_data_pattern", "validation_data_pattern"):
        assert (f"error: --{flag} gives other features than the run's features (name 'vggish'" in errors) == bool(
            status
        )


@pytest.mark.parametrize(("name", "status"), [("plain", 0), ("theirs", 2)])
def test_a_run_is_gone_on_with_and_begun_from_the_same_features(noted, name, status, capsys):
    begun = training(noted, name, f"warm-{name}", f"--init_from={noted}/run")
    assert typed(train.main, *begun) == status
    assert ("--init_from" in capsys.readouterr().err) == bool(status)
    shutil.copytree(noted / "run", noted / f"again-{name}")
    assert typed(train.main, *training(noted, name, f"again-{name}"), "--num_epochs=2") == status
    saved = json.loads((noted / f"again-{name}" / "config.json").read_text())["data"]["feature_source"]
    assert saved == dataclasses.asdict(NOTED)


@pytest.mark.parametrize("kind", ["tfrecord", "packed"])
def test_repack_keeps_the_note(noted, tmp_path, kind, capsys):
    pattern = f"{noted}/theirs/*.tfrecord"
    assert typed(main_of_command, "repack", pattern, tmp_path / "out", f"--format={kind}", "--shards=2") == 0
    assert feature_source_of([str(tmp_path / "out" / NOTE)]) == OTHER
    again = tmp_path / "out" if kind == "packed" else f"{tmp_path}/out/*.tfrecord"
    assert typed(eval_script.main, f"--train_dir={noted}/run", f"--eval_data_pattern={again}") == 2
    assert "name 'vggish'" in capsys.readouterr().err
