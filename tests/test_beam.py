"""Beam's pipelines: DirectRunner in several processes gives what inference.py and extract give; what fails is told."""

import csv
import filecmp
import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import inference as inference_script
import train as train_script
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.beam.job import Piece, Size
from yt8m_audio.beam.places import first_numbers, places_of
from yt8m_audio.commands.beam import at_dashes, parsed
from yt8m_audio.commands.inference_job import InferenceJob
from yt8m_audio.commands.inference_models import Models
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.records import write_shard

ROOT = Path(__file__).parents[1]
HAS_BEAM = importlib.util.find_spec("apache_beam") is not None
needs_beam = pytest.mark.skipif(not HAS_BEAM, reason="no apache-beam: make test-beam runs these")
PROCESSES = ["--", "--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
PORTABLE = ["--", "--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]


# Where rows belong


def test_clips_are_numbered_through_inputs():
    sizes = [Size(2, 4), Size(0, 3)]  # in any order, and none of what could not be opened
    assert first_numbers(sizes).tolist() == [0, 3, 3, 7]


@pytest.mark.parametrize(
    ("numbers", "file", "wanted"),
    [
        ([0, 1, 2, 3], None, [(0, 3, 0, 1), (2, 4, 1, 3), (3, 6, 3, 4)]),  # file 1 holds no clip
        ([1, 1, 3], None, [(2, 4, 0, 2), (3, 6, 2, 3)]),  # windows of a clip; clip 2 failed
        ([2], 9, [(9, 5, 0, 1)]),
    ],
)
def test_pieces_are_cut_where_files_change(numbers, file, wanted):
    piece = Piece(2, np.array(numbers), b"", file)
    ends = [4, 4, 6, 7]
    found = places_of(piece, np.array([0, 3, 3, 7]), lambda clips, total: np.searchsorted(ends, clips, side="right"))
    assert list(found) == wanted


# Inference


@pytest.fixture(scope="module")
def pattern(audioset):
    """The glob of 16 shards, of 80 clips or so."""
    return str(audioset / "features" / "bal_train" / "[12]0*.tfrecord")


@pytest.fixture(scope="module")
def run(audioset, tmp_path_factory):
    """A run of three steps."""
    folder = tmp_path_factory.mktemp("runs") / "logistic"
    records = f"--train_data_pattern={audioset}/features/bal_train/00*.tfrecord"
    settings = ["--frame_features", "--max_steps=3", "--batch_size=16", "--model=FrameLevelLogisticModel"]
    assert train_script.main(["train.py", records, f"--train_dir={folder}", *settings]) == 0
    return folder


@pytest.fixture
def both(run, tmp_path):
    """Has inference.py and a pipeline write the same, each to a folder of its own; gives the two folders."""

    def write(name, pattern, *more, beams=()):
        folders = tmp_path / "plain", tmp_path / "beam"
        for folder in folders:
            folder.mkdir()
        asked = [f"--train_dir={run}", f"--input_data_pattern={pattern}", *more]
        assert inference_script.main(["inference.py", *asked, f"--output_file={folders[0] / name}"]) == 0
        assert main_of_command(["yt8m_audio", "beam", *asked, f"--output_file={folders[1] / name}", *beams]) == 0
        return folders

    return write


def test_recordings_are_read_as_many_at_a_time_as_their_own_length_allows(run, tmp_path, monkeypatch):
    paths, asked_for, batches = [str(tmp_path / name) for name in ("short", "long")], [], Models.batches
    for path, num_frames in zip(paths, (10, 3600), strict=True):
        write_shard(path, [audioset_record("a", [0], np.zeros((num_frames, 128), np.uint8))])
    monkeypatch.setattr(Models, "batches", lambda self, *how: [asked_for.append(how[1]), batches(self, *how)][1])
    job = InferenceJob(InferenceFlags(train_dir=str(run), output_file="p.jsonl", window=2.0), paths)
    worker = job.open()
    worker.load()
    for number, path in enumerate(paths):
        _, part = job.find(number, path)
        (piece,) = worker.work([part])
        assert set(piece.numbers) == {0}
    assert asked_for == [512, 36]


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir() if not path.name.startswith("."))


def assert_same(plain, beam):
    assert names(plain) == names(beam) == sorted(path.name for path in beam.iterdir())
    assert filecmp.cmpfiles(plain, beam, names(plain), shallow=False)[0] == names(plain)


@needs_beam
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("p-@100.csv", ["--label_names", "--batch_size=7"]),  # more files than clips; batches of several shards
        ("p-@2.jsonl", ["--threshold=0.5", "--labels=Speech,Music"]),
        ("p.csv", ["--output=timeline", "--window=4", "--hop=3", "--top_k=2"]),
        ("p.csv", ["--segment_labels", "--segment_max_pred=9"]),
        ("p.npz", ["--output=scores"]),
    ],
)
def test_lines_are_those_of_inference(name, more, both, pattern):
    assert_same(*both(name, pattern, *more))


@needs_beam
def test_a_job_service_runs_it_too(both, pattern, capsys):
    assert_same(*both("p-@3.csv", pattern, beams=PORTABLE))
    assert "the model was loaded 1 time." in capsys.readouterr().out


@needs_beam
def test_several_processes(run, pattern, tmp_path):
    asked = [f"--train_dir={run}", f"--input_data_pattern={pattern}"]
    assert inference_script.main(["inference.py", *asked, f"--output_file={tmp_path / 'plain.csv'}"]) == 0
    command = ["yt8m_audio", "beam", *asked, f"--output_file={tmp_path / 'beam.csv'}", *PROCESSES]
    code = (
        "import sys; from yt8m_audio.__main__ import main_of_command\n"
        f"assert main_of_command({command!r}) == 0\n"
        "assert 'tensorflow' not in sys.modules"  # which is the workers'
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    loads = int(done.stdout.split("the model was loaded ")[1].split()[0])
    assert 1 <= loads <= 2  # once a process, of how many batches ever
    assert (tmp_path / "beam.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


@needs_beam
def test_what_fails_is_told_and_stops_nothing(run, shard, flip_bit, tmp_path, capsys):
    frames = np.zeros((10, 128), np.uint8)
    records = [
        audioset_record("short", [1], frames[:, :100]),
        audioset_record("good", [1], frames),
        audioset_record("beyond", [600], frames),
        audioset_record("", [1], frames),
    ]
    odd, damaged, cut = shard(records, "00.tfrecord"), shard(3, "01.tfrecord"), shard(3, "02.tfrecord")
    flip_bit(damaged, 40)
    Path(cut).write_bytes(Path(cut).read_bytes()[:-9])
    Path(tmp_path, "03.tfrecord").write_bytes(b"\x1f\x8b" + bytes(90))
    settings = [f"--input_data_pattern={tmp_path}/*.tfrecord", f"--failures={tmp_path}/failures.csv"]
    output = tmp_path / "p.csv"
    assert main_of_command(["yt8m_audio", "beam", f"--train_dir={run}", *settings, f"--output_file={output}"]) == 0
    ids = [line.split(",")[0] for line in output.read_text().splitlines()[1:]]
    assert ids == ["good", "00#3", "01-1", "01-2", "02-0", "02-1"]
    with (tmp_path / "failures.csv").open(newline="") as file:
        failures = [(row["source"], row["record"], row["reason"]) for row in csv.DictReader(file)]
    said = ["100 bytes a frame, not 128", "label 600 is not in 0 to 526", "checksum", "the file ends", "is compressed"]
    places = [(odd, "0"), (odd, "2"), (damaged, "0"), (cut, "2"), (f"{tmp_path}/03.tfrecord", "")]
    assert [row[:2] for row in failures] == places
    assert all(text in row[2] for text, row in zip(said, failures, strict=True))
    assert "5 records could not be predicted: see" in capsys.readouterr().out


@needs_beam
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--runner=DirectRunner"], "--runner is Beam's: put it behind --"),
        (["--", "--direct_num_wokers=2"], "Did you mean --direct_num_workers?"),
        (["--", "--direct_num_workers=two"], "invalid int value: 'two'"),
        (["--batch_sise=3"], "Did you mean --batch_size?"),
        (["--worker=0/2"], "Beam shares the work"),
        (["--train_dir=nowhere"], "holds no run"),
        (["--input_data_pattern=nothing*"], "nothing\\* matches no file"),
        (["--input_data_pattern=gs://bucket/a"], r"apache-beam\[gcp\]"),
        (["--output_file=nowhere/p.csv"], "there is no folder"),
        (["--output_file=s3://bucket/p.csv"], "--output_file=s3://bucket/p.csv cannot be read: .*boto3"),
        (["--top_k=0"], "^--top_k=0 must be at least 1.$"),
        (["--output_file=p-@3.csv", "--failures=./p-00001-of-00003.csv"], "is a file of predictions too"),
        (["--", "--runner=Foo"], "^Beam's flags, behind --: Unexpected pipeline runner: Foo"),
        (["--labels=Nonsense"], "^--labels: Nonsense is no class.*Did you mean Noise.$"),  # said by a worker
    ],
)
def test_mistakes_are_told_in_one_line(more, said, run, pattern, tmp_path):
    asked = [f"--train_dir={run}", f"--input_data_pattern={pattern}", f"--output_file={tmp_path / 'p.csv'}"]
    with pytest.raises(UserError, match=said):
        main_of_command(["yt8m_audio", "beam", *asked, *more])
    assert names(tmp_path) == []


@pytest.mark.skipif(HAS_BEAM, reason="apache-beam is there")
def test_without_beam_it_says_how_to_get_it():
    with pytest.raises(UserError, match=r"^Beam is not installed: pip install 'yt8m-audio\[beam\]'.*PROFILE=beam"):
        main_of_command(["yt8m_audio", "beam", "--train_dir=runs/a"])


def test_help_needs_no_beam(capsys):
    with pytest.raises(SystemExit):
        main_of_command(["yt8m_audio", "beam", "--help"])
    assert {"--failures", "--window (default: 0.0)"} <= {line.strip() for line in capsys.readouterr().out.splitlines()}


# Extraction


@needs_beam
def test_extraction_is_that_of_extract(tmp_path, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    monkeypatch.chdir(tmp_path)
    for number in range(5):
        noise = np.random.default_rng(number).normal(0, 0.1, 16_000 * (2 + number))
        soundfile.write(f"{number}.wav", noise.astype(np.float32), 16_000)
    Path("broken.wav").write_bytes(b"RIFF")
    Path("sounds.csv").write_text("file,labels\nbroken.wav,Wind\n" + "".join(f"{n}.wav,Rain\n" for n in range(5)))
    settings = ["--embedding=log_mel_statistics", "--shards=2", "--split_seconds=3"]
    assert main_of_command(["yt8m_audio", "extract", "sounds.csv", "plain", *settings]) == 1
    assert main_of_command(["yt8m_audio", "beam", "extract", "sounds.csv", "beam", *settings]) == 1
    assert_same(tmp_path / "plain", tmp_path / "beam")


# What BUILD.md says


def commands_in(text):
    """The arguments of each `python -m yt8m_audio beam` in Markdown's blocks of shell."""
    lines = [line for block in text.split("```sh\n")[1:] for line in block.split("```")[0].split("\\\n")]
    lines = "".join(lines).splitlines()
    return [shlex.split(line.partition(" -m yt8m_audio ")[2]) for line in lines if " -m yt8m_audio beam " in line]


@needs_beam
def test_commands_of_the_docs_have_flags_that_there_are():
    from yt8m_audio.beam.options import option_parser

    commands = commands_in((ROOT / "BUILD.md").read_text(encoding="utf-8"))
    runners = {"DirectRunner", "DataflowRunner", "FlinkRunner", "SparkRunner", "PortableRunner"}
    for command in commands:
        ours, beams = at_dashes(command)
        parsed(ours, beams, "", InferenceFlags)
        known, others = option_parser().parse_known_args(beams)
        assert others == []
        runners.discard(known.runner)
    assert runners == set()
