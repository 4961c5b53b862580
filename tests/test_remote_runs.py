"""Run directories on other file systems: equal to those on this machine, whole or not there, and what is said if not.

ram:// is TensorFlow's own, within a process, and renames as a disk does. gs:// and s3:// are stores on this machine
(tests/buckets.py), which TensorFlow reaches as it would Google's and Amazon's; each needs a process of its own.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.buckets import GoogleBucket, S3Bucket
from tests.test_scripts import data, evaluate, predict, train  # noqa: F401  a fixture, and the scripts
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.errors import UserError
from yt8m_audio.paths import RemotePath, path_of
from yt8m_audio.run_directory import RunDirectory, write_json, written_beside
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.class_weights import keep_weights, kept_weights
from yt8m_audio.training.metrics_log import MetricsLog

ROOT = Path(__file__).parents[1]
SETTINGS = ("--frame_features", "--validation_percent=20", "--ema_momentum=0.9", "--class_weights=inverse_frequency")
has_tensorflow_io = importlib.util.find_spec("tensorflow_io") is not None
GOOGLE = pytest.param("gs", marks=pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here"))
AMAZON = pytest.param("s3", marks=pytest.mark.skipif(not has_tensorflow_io, reason="in the io profile only"))


@pytest.fixture
def memory(tmp_path):
    """A folder of ram://, of this test alone."""
    return f"ram://{tmp_path.name}-{os.getpid()}"


@pytest.fixture(params=["here", "remote"])
def place(request, tmp_path):
    """A folder here, and one of ram://."""
    return path_of(str(tmp_path) if request.param == "here" else request.getfixturevalue("memory"))


def arrays(run, step):
    """What a checkpoint of a run holds."""
    return Checkpoints(RunDirectory(str(run)).checkpoints).read(step)


def same(one, other, step):
    (found, state), (wanted, its_state) = arrays(one, step), arrays(other, step)
    assert state == its_state
    assert len(found) == len(wanted) > 0
    return all(map(np.array_equal, found.values(), wanted.values()))


def command(name, *arguments):
    return main_of_command(["yt8m_audio", name, *map(str, arguments)])


# Paths


def names_in(folder, pattern="*"):
    return sorted(each.name for each in folder.glob(pattern))


def test_what_a_path_is_called():
    path = path_of("ram://bucket/runs/") / "one/step-12.npz"
    assert isinstance(path, RemotePath)
    assert (str(path), path.name, path.stem) == ("ram://bucket/runs/one/step-12.npz", "step-12.npz", "step-12")
    assert path.parent.with_name("other") == path_of("ram://bucket/runs/other")
    assert str(path.relative_to(path.parent.parent)) == "one/step-12.npz"
    assert str(path_of("ram://bucket").parent) == "ram://bucket"
    assert path_of("runs/one") == Path("runs/one")


def test_files_and_folders(place):
    folder = place / "run[1]" / "checkpoints"  # brackets are a part of the name
    assert names_in(folder) == []
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("a.json", "1"), ("b.json", "2"), ("a.json", "3"), ("a.npz", "")):
        with written_beside(folder / name) as partial:
            partial.write_text(text)
    assert names_in(folder) == ["a.json", "a.npz", "b.json"]
    assert names_in(folder, "*.npz") == ["a.npz"]
    assert (folder / "a.json").read_text() == "3"
    assert (folder.is_dir(), folder.is_file(), folder.exists()) == (True, False, True)
    assert ((folder / "a.npz").is_file(), (folder / "c.npz").exists()) == (True, False)
    folder.rename(place / "moved")
    assert names_in(place / "moved") == ["a.json", "a.npz", "b.json"]
    assert not folder.exists()


def test_what_is_not_there(place):
    for work in (lambda path: path.read_text(), lambda path: path.open("rb"), lambda path: path.unlink()):
        with pytest.raises(FileNotFoundError):
            work(place / "none.json")
    (place / "none.json").unlink(missing_ok=True)


def test_what_fails_leaves_what_was_there(place):
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / "a.json", {"a": 1})

    def write_half():
        with written_beside(place / "a.json") as partial:
            partial.write_text("half of")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert json.loads((place / "a.json").read_text()) == {"a": 1}
    assert names_in(place) == ["a.json"]


def test_lines_are_added(place):
    logs = [MetricsLog(place / "logs" / part, place / "metrics.jsonl", part) for part in ("train", "validation")]
    for step in (1, 2):
        for log in logs:
            log.write(step, {"Loss": float(step)})
    lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    assert [(line["part"], line["step"]) for line in lines] == [
        (part, step) for step in (1, 2) for part in ("train", "validation")
    ]


def test_class_weights_are_kept(place):
    run = RunDirectory(str(place))
    run.create()
    keep_weights(run, np.array([0.1, 2.0, 0.9], np.float32))
    assert kept_weights(run, "inverse_frequency", 3).tolist() == np.array([0.1, 2.0, 0.9], np.float32).tolist()
    keep_weights(run, None)
    with pytest.raises(UserError, match=r"class_weights.csv is missing"):
        kept_weights(run, "inverse_frequency", 3)


def test_a_damaged_checkpoint_is_passed_over(place, memory):
    run, said = RunDirectory(str(place)), []
    run.create()
    checkpoints = Checkpoints(run.checkpoints)
    for step in (1, 2):
        checkpoints.save(step, [])
    with written_beside(checkpoints.path(2)) as partial:
        partial.write_bytes(checkpoints.path(1).read_bytes()[:-9])
    assert checkpoints.restore_newest([], said.append)["step"] == 1
    assert [line.partition(" (")[0] for line in said] == [f"{checkpoints.path(2)} is damaged"]


# Runs in memory against runs on this machine


@pytest.fixture(scope="module")
def both(data, tmp_path_factory):  # noqa: F811
    """The same run twice, stopped after two epochs and gone on with: on this machine, and in memory."""
    folder = tmp_path_factory.mktemp("both")
    places = folder / "runs" / "one", f"ram://{folder.name}-{os.getpid()}/runs/one"
    for run in places:
        for epochs in (2, 4):
            assert train(data, run, *SETTINGS, f"--num_epochs={epochs}") == 0
    return places


def test_a_run_in_memory_ends_as_one_on_this_machine(both):
    here, there = (Checkpoints(RunDirectory(str(run)).checkpoints) for run in both)
    assert here.steps() == there.steps()
    assert here.steps()[-3:] == [8, 12, 16]
    assert (here.best(), here.validated()) == (there.best(), there.validated())
    assert all(same(*both, step) for step in here.steps())


def test_a_run_in_memory_has_the_same_files(both):
    here, there = (RunDirectory(str(run)) for run in both)
    assert {each.name for each in there.path.iterdir()} == {each.name for each in here.path.iterdir()}
    assert here.load_config() == there.load_config()
    lines = [run.metrics_file.read_text().count("\n") for run in (here, there)]
    assert lines[0] == lines[1] > 4
    assert len(names_in(there.logs("train"), "*tfevents*")) == 2


def test_evaluation_and_prediction_are_equal(both, data, tmp_path):  # noqa: F811
    found = []
    for number, run in enumerate(both):
        assert evaluate(run, data) == 0
        assert predict(run, data, tmp_path / f"{number}.csv") == 0
        figures = json.loads((RunDirectory(str(run)).path / "eval" / "metrics.json").read_text())
        found.append(({name: figures[name] for name in ("mAP", "auc", "loss", "step")}, figures["clips"]))
    assert found[0] == found[1]
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


def test_averages_are_equal(both, tmp_path, memory):
    for run, out in zip(both, (tmp_path / "average", f"{memory}/average"), strict=True):
        assert command("average", run, out) == 0
    assert same(tmp_path / "average", f"{memory}/average", 16)
    assert names_in(path_of(f"{memory}/average")) == names_in(tmp_path / "average")
    with pytest.raises(UserError, match=r"holds a run already: name a new folder"):
        command("average", both[1], f"{memory}/average")
    with pytest.raises(UserError, match=r"is the run to average: name a new folder"):
        command("average", both[1], both[1])


def test_a_failed_average_leaves_nothing(both, memory, monkeypatch):
    monkeypatch.setattr(Checkpoints, "save", lambda *_, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command("average", both[1], f"{memory}/average")
    assert not path_of(f"{memory}/average").exists()


def test_runs_are_found(both, capsys):
    shown = []
    for run in both:
        assert command("runs", "--json", str(run).removesuffix("/one")) == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert [run["run"] for run in shown[1]] == ["one"]
    assert shown[0][0]["validation"] == shown[1][0]["validation"]
    assert shown[0][0]["best"] == shown[1][0]["best"]


def test_a_run_begins_with_the_weights_of_one_in_memory(both, data, tmp_path, capsys):  # noqa: F811
    assert train(data, tmp_path / "next", "--frame_features", f"--init_from={both[1]}", "--max_steps=1") == 0
    assert re.search(r"Begins with (\d+) of \1 variables of ram://", capsys.readouterr().out)
    assert train(data, tmp_path / "no", "--frame_features", f"--init_from={both[1]}/none") == 2
    assert "/none is no folder: name a run directory" in capsys.readouterr().err


def test_a_new_run_moves_the_old_one_aside(data, memory, capsys):  # noqa: F811
    run = f"{memory}/run"
    assert train(data, run, "--frame_features", "--max_steps=2") == 0
    assert train(data, run, "--frame_features", "--max_steps=3", "--start_new_model") == 0
    assert f"The run that was in {run} is now in {run}.old-1." in capsys.readouterr().out
    steps = [Checkpoints(path_of(f"{each}/checkpoints")).steps() for each in (run, f"{run}.old-1")]
    assert steps == [[3], [2]]
    assert names_in(path_of(f"{run}.old-1/logs/train"), "*tfevents*")
    assert RunDirectory(f"{run}.old-1").exists()


def test_a_file_system_that_there_is_not(data, capsys):  # noqa: F811
    assert train(data, "nowhere://bucket/run", "--frame_features") == 2
    err = capsys.readouterr().err
    assert err.startswith("error: --train_dir=nowhere://bucket/run cannot be read: File system scheme 'nowhere' not")
    assert err.count("\n") == 1


# Buckets


@pytest.fixture
def bucket(request, tmp_path):
    """A store; `bucket.url` names it."""
    with S3Bucket() if request.param == "s3" else GoogleBucket(tmp_path) as store:
        store.url = f"{request.param}://bucket"
        yield store


def arguments(data, run, *more):  # noqa: F811
    pattern = f"--train_data_pattern={data}/train*.tfrecord"
    settings = ("--num_classes=5", "--batch_size=16", "--model=FrameLevelLogisticModel", "--frame_features")
    return [sys.executable, "train.py", pattern, f"--train_dir={run}", *settings, *more]


def started(bucket, words):
    environment = {**os.environ, **bucket.environment}
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(bucket, words):
    """Output, errors and status of a process that reaches the bucket."""
    process = started(bucket, words)
    return *process.communicate(timeout=300), process.returncode


@pytest.mark.parametrize("bucket", [GOOGLE, AMAZON], indirect=True)
def test_a_bucket_that_refuses_or_is_not_there(bucket, data):  # noqa: F811
    out, err, status = ended(bucket, arguments(data, bucket.url.replace("bucket", "none") + "/run"))
    assert (out.count("Training"), err.count("\n"), status) == (0, 1, 2), err
    assert re.match(r"error: --train_dir=\w+://none/run cannot be written: .*\. Give another folder\.", err)
    bucket.refuses = True
    out, err, status = ended(bucket, arguments(data, f"{bucket.url}/run"))
    assert (err.count("\n"), status) == (1, 2), err
    assert re.match(r"error: --train_dir=\w+://bucket/run cannot be (read|written): ", err)
    assert not bucket.objects


@pytest.mark.slow
@pytest.mark.parametrize("bucket", [GOOGLE, AMAZON], indirect=True)
def test_a_run_in_a_bucket_killed_at_any_moments_ends_as_one_on_this_machine(bucket, data, tmp_path):  # noqa: F811
    settings = ("--num_epochs=20", "--export_model_steps=10", "--validation_percent=20", "--ema_momentum=0.9")
    settings += ("--steps_per_call=5", "--mixup_alpha=0.5")
    here, random, said = tmp_path / "run", np.random.default_rng(0), []
    assert train(data, here, "--frame_features", *settings) == 0
    words = arguments(data, f"{bucket.url}/runs/one", *settings)
    for _ in range(4):
        before, process = saved(bucket), started(bucket, words)
        wait_until(lambda: saved(bucket) - before or process.poll() is not None)  # noqa: B023
        time.sleep(random.uniform(0, 1))
        process.kill()
        said.append(process.communicate()[0])
    out, err, status = ended(bucket, words)
    assert status == 0, err
    assert sum("Resuming at step" in each for each in [*said, out]) == 4
    there = tmp_path / "there"
    for name, content in bucket.objects.items():
        if not name.endswith("/"):
            path = there / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert same(here, there / "runs" / "one", max(Checkpoints(here / "checkpoints").steps()))
    assert {each.name for each in (there / "runs" / "one").iterdir()} == {each.name for each in here.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("bucket", [GOOGLE, AMAZON], indirect=True)
def test_a_bucket_that_refuses_midway_ends_the_run_in_one_line(bucket, data):  # noqa: F811
    words = arguments(data, f"{bucket.url}/run", "--num_epochs=2000")
    process = started(bucket, words)
    wait_until(lambda: saved(bucket) or process.poll() is not None)
    bucket.refuses = True
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err.count("\n")) == (2, 1), err
    assert re.match(r"error: \w+://bucket/run/", err)
    assert saved(bucket)


def saved(bucket):
    """The checkpoints in a bucket."""
    return {name for name in list(bucket.objects) if name.endswith(".npz")}


def wait_until(done, seconds=120):
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("bucket", [GOOGLE, AMAZON], indirect=True)
def test_what_is_done_with_a_run_in_a_bucket(bucket, data, tmp_path):  # noqa: F811
    run = f"{bucket.url}/runs/one"
    python = sys.executable
    of_eval = f"--eval_data_pattern={data}/eval*.tfrecord"
    of_inference = (f"--input_data_pattern={data}/eval*.tfrecord", f"--output_file={tmp_path}/p.csv")
    for words in (
        arguments(data, run, "--max_steps=4", "--export_model_steps=2"),
        arguments(data, run, "--max_steps=6", "--export_model_steps=2", "--start_new_model"),
        [python, "eval.py", f"--train_dir={run}", of_eval],
        [python, "inference.py", f"--train_dir={run}", *of_inference],
        [python, "-m", "yt8m_audio", "average", run, f"{bucket.url}/runs/average"],
        [python, "-m", "yt8m_audio", "export", run, f"{tmp_path}/model"],
        [python, "-m", "yt8m_audio", "runs", "--json", f"{bucket.url}/runs"],
    ):
        out, err, status = ended(bucket, words)
        assert (status, err) == (0, ""), words
    assert sorted((each["run"], each["steps"]) for each in json.loads(out)) == [
        ("average", 6), ("one", 6), ("one.old-1", 4)
    ]  # fmt: skip
    assert "runs/one/eval/metrics.json" in bucket.objects
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 24
