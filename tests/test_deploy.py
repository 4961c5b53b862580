"""What deploy/ and docs/cloud.md say, as far as that shows without an account, and the script that keeps a run."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from yt8m_audio import flags
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard

ROOT = Path(__file__).parents[1]
DEPLOY, PAGE = ROOT / "deploy", ROOT / "docs" / "cloud.md"
SCRIPT = DEPLOY / "train_and_sync.sh"

# In train.py's place: goes on by ten steps, keeps two checkpoints, and leaves half a one.
TRAINING = """#!{python} -SE
import json, pathlib, sys
run = pathlib.Path(sys.argv[-1].removeprefix("--train_dir="))
folder = run / "checkpoints"
folder.mkdir(parents=True, exist_ok=True)
steps = sorted(int(path.stem[5:]) for path in folder.glob("step-*.npz"))
step = (steps or [0])[-1] + 10
(run / "config.json").write_text(json.dumps({{"steps": step}}))
(folder / f"step-{{step:08d}}.npz").write_text(f"all of {{step}}")
(folder / ".partial-9-step-00000099.npz").write_text("half")
(folder / "best.json").write_text(json.dumps({{"step": step}}))
for dropped in steps[:-1]:
    (folder / f"step-{{dropped:08d}}.npz").unlink()
with (run / "metrics.jsonl").open("a") as file:
    print(json.dumps({{"step": step}}), file=file)
sys.exit("--model=Broken" in sys.argv and 3)
"""
# In gcloud's place: a folder for each bucket, and objects that are removed before others are copied.
GCLOUD = """#!{python} -SE
import os, pathlib, re, shutil, sys
sys.path.insert(0, os.environ["STAND_INS"])
from cut import cut
KNOWN = {{"--recursive", "--skip-if-dest-has-newer-mtime", "--exclude", "--delete-unmatched-destination-objects"}}
given = dict(each.partition("=")[::2] for each in sys.argv[1:] if each.startswith("--"))
_, command, source, target = (each for each in sys.argv[1:] if not each.startswith("--"))
source, target = (pathlib.Path(each.replace("gs://", os.environ["BUCKETS"] + "/")) for each in (source, target))
assert sys.argv[1] == "storage" and given.keys() <= KNOWN, sys.argv
if command == "cp":
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(sys.stdin.read())
    sys.exit()
assert command == "rsync" and source.is_dir(), sys.argv
found = source.rglob("*") if "--recursive" in given else source.iterdir()
names = [path.relative_to(source) for path in sorted(found) if path.is_file()]
names = [name for name in names if not re.match(given.get("--exclude", "$."), str(name))]
if "--delete-unmatched-destination-objects" in given:
    for path in target.iterdir():
        if path.relative_to(target) not in names:
            cut()
            path.unlink()
for name in names:
    old, new = (path.stat().st_mtime if path.exists() else None for path in (target / name, source / name))
    if old != new and not (old and old > new and "--skip-if-dest-has-newer-mtime" in given):
        cut()
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target / name)
"""
# Ends what calls it, from the call on that CUT says: what was copied before is all that arrives.
CUT = """
import os, pathlib, sys
def cut():
    count = pathlib.Path(os.environ["STAND_INS"], "count")
    done = int(count.read_text()) if count.exists() else 0
    if "CUT" in os.environ and done >= int(os.environ["CUT"]):
        sys.exit("cut")
    count.write_text(str(done + 1))
"""
MOVE = """#!{python} -SE
import os, sys
sys.path.insert(0, os.environ["STAND_INS"])
from cut import cut
cut()
os.replace(*sys.argv[-2:])
"""
SLEEP = "#!/bin/sh\nexec /bin/sleep 0.1\n"


class Keeper:
    """Runs the script with stand-ins for train.py and gcloud, and shows what its bucket holds."""

    def __init__(self, folder: Path, kind: str):
        self.folder, self.stand_ins = folder, folder / "stand_ins"
        self.kept = folder / "buckets" / "b" / "runs" / "one"
        self.bucket = "gs://b/runs/one" if kind == "gs" else str(self.kept)
        self.stand_ins.mkdir()
        (self.stand_ins / "cut.py").write_text(CUT)
        for name, text in (("training", TRAINING), ("gcloud", GCLOUD), ("mv", MOVE), ("sleep", SLEEP)):
            (self.stand_ins / name).write_text(text.format(python=sys.executable))
            (self.stand_ins / name).chmod(0o755)

    def begin(self, machine: str) -> None:
        """Leaves what two runs on a machine leave, in the bucket too."""
        run = self.folder / machine / "one"
        for _ in range(2):
            subprocess.run([self.stand_ins / "training", f"--train_dir={run}"], check=True)
        shutil.copytree(run, self.kept, ignore=shutil.ignore_patterns(".*"))

    def run(self, machine: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """Trains on a machine, that is in a folder of its own."""
        (self.stand_ins / "count").unlink(missing_ok=True)
        path = f"{self.stand_ins}{os.pathsep}{os.environ['PATH']}"
        ours = {"PYTHON": str(self.stand_ins / "training"), "STAND_INS": str(self.stand_ins), "PATH": path}
        environment = {**os.environ, **ours, "BUCKETS": str(self.folder / "buckets"), **environment}
        command = [SCRIPT, self.bucket, str(self.folder / machine / "one"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def files(self) -> dict[str, str]:
        """Contents of the bucket's files that are a part of the run."""
        paths = (path for path in self.kept.rglob("*") if path.is_file() and not path.name.startswith("."))
        return {str(path.relative_to(self.kept)): path.read_text() for path in paths if path.name != "kept_by.txt"}

    def steps(self) -> list[int]:
        """Steps of the bucket's checkpoints."""
        return sorted(int(name[-12:-4]) for name in self.files() if name.endswith(".npz"))


@pytest.fixture(params=["folder", "gs"])
def keeper(request, tmp_path):
    return Keeper(tmp_path, request.param)


def test_a_run_goes_on_from_machine_to_machine(keeper):
    for machine in "abc":
        done = keeper.run(machine)
        assert (done.returncode, done.stderr) == (0, "")
    assert keeper.files() == {
        "config.json": '{"steps": 30}',
        "metrics.jsonl": '{"step": 10}\n{"step": 20}\n{"step": 30}\n',
        "checkpoints/best.json": '{"step": 30}',
        "checkpoints/step-00000020.npz": "all of 20",
        "checkpoints/step-00000030.npz": "all of 30",
    }
    assert list(keeper.kept.rglob(".*")) == []
    assert (keeper.kept / "kept_by.txt").read_text().startswith("ended with status 0 on ")
    left = {str(path.relative_to(keeper.folder / "c")) for path in (keeper.folder / "c").rglob("*") if path.is_file()}
    assert left == {f"one/{name}" for name in keeper.files()} | {"one/checkpoints/.partial-9-step-00000099.npz"}


@pytest.mark.parametrize(("begun", "cut"), [(False, 2), (True, 0), (True, 1), (True, 2), (True, 3)])
def test_a_copy_that_is_cut_is_a_run_that_goes_on(begun, cut, keeper):
    if begun:
        keeper.begin("a")
    done = keeper.run("a", CUT=str(cut))
    assert done.returncode == 1
    assert f"and not in {keeper.bucket}" in done.stderr
    files, steps = keeper.files(), keeper.steps()
    before, new = ([10, 20], 30) if begun else ([], 10)
    assert steps in (before, [*before, new], [*before, new][1:])
    assert all(files[f"checkpoints/step-{step:08d}.npz"] == f"all of {step}" for step in steps)
    assert json.loads(files["config.json"])["steps"] in (*before, new)
    if "checkpoints/best.json" in files:
        assert json.loads(files["checkpoints/best.json"])["step"] in steps
    assert keeper.run("b").returncode == 0
    assert keeper.steps() == [*steps[-1:], (steps or [0])[-1] + 10]


def test_what_is_newer_on_the_machine_stays(keeper):
    keeper.begin("a")
    keeper.run("a", CUT="0")
    assert keeper.steps() == [10, 20]
    assert keeper.run("a").returncode == 0
    assert keeper.steps() == [30, 40]
    assert keeper.files()["metrics.jsonl"].count("\n") == 4


def test_the_status_of_the_training_is_the_scripts(keeper):
    assert keeper.run("a", "--model=Broken").returncode == 3
    assert (keeper.kept / "kept_by.txt").read_text().startswith("ended with status 3 on ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: "),
        (["{bucket}", "run", "--start_new_model"], "--start_new_model: the same command has to go on"),
        (["{bucket}", "run", "--train_dir=other"], "--train_dir=other: the same command has to go on"),
        (["{file}/bucket", "run"], "/bucket cannot be written: make it"),
    ],
)
def test_mistakes(arguments, said, tmp_path):
    (tmp_path / "file").touch()
    arguments = [each.format(bucket=tmp_path / "bucket", file=tmp_path / "file") for each in arguments]
    done = subprocess.run([SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_preempted_run_goes_on_on_a_new_machine(tmp_path):
    random, bucket = np.random.default_rng(0), tmp_path / "bucket"
    records = [audioset_record(f"c{i}", [i % 5], random.integers(0, 256, (10, 128), np.uint8)) for i in range(200)]
    write_shard(str(tmp_path / "a.tfrecord"), records)
    settings = "--frame_features --model=DbofModel --iterations=5 --dbof_cluster_size=64 --dbof_hidden_size=32"
    settings += " --num_classes=5 --batch_size=16 --export_model_steps=10 --strategy=cpu"
    arguments = [f"--train_data_pattern={tmp_path}/*.tfrecord", *settings.split()]

    def start(machine, steps):
        return subprocess.Popen(
            [SCRIPT, bucket, tmp_path / machine / "run", *arguments, "--num_epochs=100000", f"--max_steps={steps}"],
            env={**os.environ, "PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kept(folder):
        return sorted(int(path.stem[5:]) for path in (folder / "checkpoints").glob("step-*.npz"))

    process, deadline = start("first", steps=1_000_000), time.monotonic() + 120  # more than it gets to, however fast
    while not kept(bucket) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 143, err
    stopped = int(re.search(r"Stopped at step ([\d,]+), saved", out)[1].replace(",", ""))
    assert kept(bucket) == kept(tmp_path / "first" / "run")
    assert kept(bucket)[-1] == stopped > 0

    total = stopped + 100
    process = start("second", steps=total)
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, "")
    assert f"Resuming at step {stopped:,} of {total:,}." in out
    assert kept(bucket) == kept(tmp_path / "second" / "run")
    assert kept(bucket)[-1] == total
    last = f"checkpoints/step-{total:08d}.npz"
    assert (bucket / last).read_bytes() == (tmp_path / "second" / "run" / last).read_bytes()
    assert (bucket / "config.json").exists()


# What the files say


def code_blocks() -> list[tuple[str, str]]:
    """The page's fenced blocks: the paragraph that stands before each, and its lines, continued ones joined."""
    blocks = re.findall(r"((?:[^\n]+\n)+)\n```\w*\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [(before, block.replace("\\\n", " ")) for before, block in blocks]


def commands() -> list[tuple[str, list[str]]]:
    """Calls of our scripts in the page and in deploy/: the script's name and its flags."""
    texts = [block for _, block in code_blocks()]
    image = re.sub(r"^#", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    texts += [image.replace(" yt8m-audio ", " train.py ")]  # which is its entry point
    found = []
    for line in "\n".join(texts).split("\n"):
        for call in re.finditer(r"\b(train|eval|inference)\.py |train_and_sync\.sh ", line):
            rest = re.split(r"\s(?:&&|[|;&>])|'$", line[call.end() :])[0]
            found.append((call[1] or "train", re.findall(r'--\w+(?:=(?:"[^"]*"|[^\s"\']*))?', rest)))
    found = [(script, given) for script, given in found if given]
    return [*found, ("train", job_flags()), *(("train", block.split("\n")) for block in flag_files())]


def flag_files() -> list[str]:
    """Files of flags that the page has one write."""
    return [text for _, block in code_blocks() for text in re.findall(r"run\.flags <<'END'\n(.*?)\nEND", block, re.S)]


def job_flags() -> list[str]:
    return re.findall(r"^ +- (--\S+)$", (DEPLOY / "vertex_job.yaml").read_text(), flags=re.MULTILINE)


def test_the_flags_that_are_named_are_flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parsed = {"eval": flags.EvalFlags, "inference": flags.InferenceFlags}
    calls = commands()
    for script, given in calls:
        argv = [f"{script}.py", *(each.replace('"', "") for each in given if each != "--flagfile=run.flags")]
        if script == "train":
            assert flags.parse_train(argv).given, argv
        else:
            flags.parse_script(argv, "", parsed[script])
    scripts = [script for script, _ in calls]
    assert (scripts.count("train"), scripts.count("eval"), scripts.count("inference")) == (8, 3, 4)


def test_every_block_says_whether_it_was_run():
    befores = [before for before, _ in code_blocks()]
    assert len(befores) > 20
    assert [before for before in befores if not re.search(r"\b(Not run|Run)\b", before)] == []


@pytest.mark.parametrize("script", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_shell(script):
    assert subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False).stderr == ""
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
        assert done.stdout == ""


def test_the_image_is_made_of_what_is_there():
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").split("\n")
    sources = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert sorted(name for name in sources if not (ROOT / name).exists()) == []
    names = {path.name for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names - {"tests", "benchmarks"} <= {name.rstrip("/") for name in sources}
    instructions = [line.split(" ")[0] for line in lines if line and not line.startswith("#")]
    assert instructions[0] == "FROM"
    assert instructions.index("USER") > max(index for index, name in enumerate(instructions) if name == "RUN")
    assert 'ENTRYPOINT ["python", "train.py"]' in lines


def test_versions_are_those_of_the_requirements():
    pins = (ROOT / "requirements" / "default.txt").read_text(), (ROOT / "requirements" / "tpu.txt").read_text()
    default, tpu = (dict(line.split("==") for line in text.split("\n") if "==" in line) for text in pins)
    texts = "\n".join(path.read_text() for path in (PAGE, *filter(Path.is_file, DEPLOY.rglob("*"))))
    assert set(re.findall(r"tensorflow\[and-cuda\]==([\d.]+\d)", texts)) == {default["tensorflow"]}
    assert set(re.findall(r"tensorflow-tpu(?:==| )(\d[\d.]+\d)", texts)) == {tpu["tensorflow-tpu"]}


def test_files_that_are_named_are_there():
    texts = "\n".join(path.read_text() for path in (PAGE, *filter(Path.is_file, DEPLOY.rglob("*"))))
    named = set(re.findall(r"\b(?:deploy|tests|requirements|recipes|docs)/[\w.]+\.\w+", texts))
    assert len(named) > 6
    assert sorted(name for name in named if not (ROOT / name).exists()) == []
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGE.read_text())
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_the_job_is_yaml_with_the_flags_of_the_image():
    lines = [line for line in (DEPLOY / "vertex_job.yaml").read_text().split("\n") if line and line[0] != "#"]
    assert [line for line in lines if not re.fullmatch(r"(  )*(- )?([a-zA-Z]+:( \S+)?|[^\s:]+)", line)] == []
    start = lines.index("      args:") + 1
    end = next(index for index in range(start, len(lines)) if not lines[index].startswith("        - "))
    assert [shlex.split(line)[1] for line in lines[start + 2 : end]] == job_flags()
    assert lines[start - 2].endswith(str(Path("/app") / SCRIPT.relative_to(ROOT)))
