"""The three scripts as a user types them: the main job on small shards, and what each mistake gets."""

import csv
import json

import keras
import numpy as np
import pytest

import eval as eval_script
import inference as inference_script
import train as train_script
from yt8m_audio import flags
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard
from yt8m_audio.run_directory import OURS, RunDirectory

NUM_CLASSES = 5


def clip_record(number, num_frames=10, labels=None, size=128):
    """A clip whose frames tell its label: class c raises the features c, c + 5, c + 10, ..."""
    label = number % NUM_CLASSES
    frames = np.random.default_rng(number).integers(100, 140, (num_frames, size), dtype=np.uint8)
    frames[:, label::NUM_CLASSES] += 60
    return audioset_record(f"clip{number:07d}", [label] if labels is None else labels, frames, start_time=30.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for shard in range(4):
        write_shard(str(folder / f"train{shard}.tfrecord"), [clip_record(20 * shard + i) for i in range(20)])
    write_shard(str(folder / "eval0.tfrecord"), [clip_record(1000 + i, num_frames=1 + i % 10) for i in range(23)])
    return folder


def run(script, *arguments):
    """Runs a script's main as its command line would; returns the exit status."""
    argv = [script.__file__, *map(str, arguments)]
    with pytest.raises(SystemExit) as exit_info:
        flags.run(script.main, argv)
    return exit_info.value.code


def train(data, train_dir, *more, model="FrameLevelLogisticModel"):
    pattern = f"--train_data_pattern={data}/train*.tfrecord"
    settings = ("--num_classes=5", "--batch_size=16", f"--model={model}", f"--train_dir={train_dir}")
    return run(train_script, pattern, *settings, *more)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run of four epochs."""
    folder = tmp_path_factory.mktemp("runs") / "logistic"
    assert train(data, folder, "--frame_features", "--num_epochs=4", "--validation_percent=20") == 0
    return folder


def evaluate(run_folder, data, *more):
    return run(eval_script, f"--train_dir={run_folder}", f"--eval_data_pattern={data}/eval*.tfrecord", *more)


def predict(run_folder, data, output, *more):
    pattern = f"--input_data_pattern={data}/eval*.tfrecord"
    return run(inference_script, f"--train_dir={run_folder}", pattern, f"--output_file={output}", *more)


# The main job


def test_a_run_leaves_what_the_design_says(trained):
    names = {path.name for path in trained.iterdir()}
    assert names >= {"config.json", "model_flags.json", "checkpoints", "logs", "metrics.jsonl"}
    config = json.loads((trained / "config.json").read_text())
    assert config["data"]["feature_names"] == "audio_embedding"
    assert config["data"]["max_frames"] == 10
    assert config["train"]["base_learning_rate"] == 0.01
    assert config["versions"].keys() >= {"tensorflow", "keras", "numpy", "yt8m_audio", "python"}


def test_model_flags_json_is_the_starters(trained):
    assert json.loads((trained / "model_flags.json").read_text()) == {
        "model": "FrameLevelLogisticModel",
        "feature_sizes": "128",
        "feature_names": "audio_embedding",
        "frame_features": True,
        "label_loss": "CrossEntropyLoss",
    }


def test_metrics_jsonl_has_training_and_validation(trained):
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert {line["part"] for line in lines} >= {"train", "validation"}
    validated = [line for line in lines if line["part"] == "validation"]
    assert validated[-1]["loss"] < validated[0]["loss"]
    assert all({"Loss", "Hit@1", "PERR", "GAP"} <= line.keys() for line in lines)


def test_eval_writes_the_metrics(trained, data, capsys):
    assert evaluate(trained, data, "--top_k=3") == 0
    figures = json.loads((trained / "eval" / "metrics.json").read_text())
    keys = {"clips", "hit@1", "perr", "gap@3", "map@3", "mAP", "auc", "d_prime", "d_prime_class_mean", "loss"}
    assert figures.keys() >= keys
    assert figures["clips"] == 23
    assert figures["mAP"] > 0.9
    assert (figures["classes"], figures["classes_with_positives"], figures["classes_without_positives"]) == (5, 5, 0)
    assert (figures["exact"], len(figures["ids_sha256"])) == (True, 64)
    assert figures["checkpoint"].endswith(f"checkpoints/step-{figures['step']:08d}.npz")
    assert figures["eval_data_pattern"] == f"{data}/eval*.tfrecord"
    told = capsys.readouterr().out
    assert "mean average precision" in told
    assert "All figures are exact" in told


def test_eval_gives_the_same_for_another_batch_size(trained, data):
    evaluate(trained, data, "--batch_size=4")
    small = json.loads((trained / "eval" / "metrics.json").read_text())
    evaluate(trained, data, "--batch_size=64")
    large = json.loads((trained / "eval" / "metrics.json").read_text())
    assert small == pytest.approx(large, abs=1e-5)


def test_held_out_evaluates_what_training_did_not_see(trained, data, capsys):
    pattern = f"--eval_data_pattern={data}/train*.tfrecord"
    assert run(eval_script, f"--train_dir={trained}", pattern, "--held_out") == 0
    held_out = json.loads((trained / "eval" / "metrics.json").read_text())
    validated = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    validated = [line for line in validated if line["part"] == "validation" and line["step"] == held_out["step"]]
    assert held_out["clips"] == validated[0]["clips"]
    assert held_out["mAP"] == pytest.approx(validated[0]["mAP"], abs=1e-5)


def test_the_starters_flags_are_taken_by_eval_with_a_warning(trained, data, capsys):
    assert evaluate(trained, data, "--model=LstmModel", "--frame_features", "--feature_names=audio_embedding") == 0
    assert "warning: --model is not used" in capsys.readouterr().err


def test_inference_writes_the_starters_csv(trained, data, tmp_path):
    output = tmp_path / "predictions.csv"
    assert predict(trained, data, output, "--top_k=2") == 0
    header, *lines = output.read_text().splitlines()
    assert header == "VideoId,LabelConfidencePairs"
    assert [line.split(",")[0] for line in lines] == [f"clip{1000 + i:07d}" for i in range(23)]
    pairs = lines[0].split(",")[1].split()
    assert len(pairs) == 4
    assert pairs[0] == "0"  # clip 1000 is of class 0
    assert float(pairs[1]) > float(pairs[3])


def test_inference_agrees_with_itself_and_with_other_batch_sizes(trained, data, tmp_path):
    files = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for file, batch_size in zip(files, (8, 8, 23), strict=True):
        assert predict(trained, data, file, f"--batch_size={batch_size}") == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    one, other = (list(csv.reader(file.open()))[1:] for file in files[1:])
    for (id_one, pairs_one), (id_other, pairs_other) in zip(one, other, strict=True):
        assert id_one == id_other
        np.testing.assert_allclose(*[np.array(pairs.split(), float) for pairs in (pairs_one, pairs_other)], atol=2e-6)


def test_top_k_beyond_the_number_of_classes_gives_them_all(trained, data, tmp_path):
    output = tmp_path / "predictions.csv"
    assert predict(trained, data, output, "--top_k=20") == 0
    assert len(output.read_text().splitlines()[1].split(",")[1].split()) == 2 * NUM_CLASSES


def test_label_names_are_columns_of_their_own(data, tmp_path):
    names = tmp_path / "names.csv"
    names.write_text('index,mid,display_name\n0,/a,Bell\n1,/b,"Male speech, man speaking"\n2,/c,C\n3,/d,D\n4,/e,E\n')
    assert train(data, tmp_path / "run", f"--label_map={names}", "--num_epochs=3") == 0
    assert predict(tmp_path / "run", data, tmp_path / "p.csv", "--label_names", "--top_k=2") == 0
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    assert rows[0].keys() == {"VideoId", "LabelConfidencePairs", "TopLabel", "Labels"}
    assert [row["TopLabel"] for row in rows[:2]] == ["Bell", "Male speech, man speaking"]
    assert rows[1]["Labels"].startswith("Male speech, man speaking ")


@pytest.mark.parametrize("model", ["LogisticModel", "MoeModel"])
def test_frame_records_feed_video_level_models_by_their_mean(model, data, tmp_path):
    assert train(data, tmp_path / "run", "--num_epochs=8", model=model) == 0
    assert evaluate(tmp_path / "run", data) == 0
    assert json.loads((tmp_path / "run" / "eval" / "metrics.json").read_text())["mAP"] > 0.8


@pytest.mark.parametrize(
    ("model", "hyper_parameters"),
    [
        ("LstmModel", ["--lstm_cells=8", "--lstm_layers=1", "--moe_num_mixtures=1"]),
        ("LstmModel", ["--lstm_cells=8", "--video_level_classifier_model=LogisticModel"]),
        ("DbofModel", ["--dbof_cluster_size=16", "--dbof_hidden_size=8", "--dbof_pooling_method=average"]),
    ],
)
def test_a_models_hyper_parameters_are_flags(model, hyper_parameters, data, tmp_path):
    assert train(data, tmp_path / "run", "--num_epochs=1", *hyper_parameters, model=model) == 0
    saved = json.loads((tmp_path / "run" / "config.json").read_text())["model"]["hyper_parameters"]
    assert {text.split("=")[0].lstrip("-") for text in hyper_parameters} | {"input_normalization"} <= saved.keys()
    assert evaluate(tmp_path / "run", data) == 0


def test_what_audiosets_users_type_works_as_it_stands(data, tmp_path, capsys):
    (tmp_path / "bal_train").symlink_to(data)
    typed = (
        f"--train_data_pattern={tmp_path}/bal_train/*.tfrecord --num_epochs=100 --learning_rate_decay_examples=400000 "
        "--feature_names=audio_embedding --feature_sizes=128 --frame_features --batch_size=512 --num_classes=527 "
        f"--train_dir={tmp_path} --model=LstmModel --base_learning_rate=0.001 --lstm_cells=256"
    )
    assert run(train_script, *typed.split(), "--max_step=2") == 0
    assert "warning: --max_step is called --max_steps here." in capsys.readouterr().err
    assert (tmp_path / "checkpoints" / "step-00000002.npz").exists()


# Losses and teachers


def labels_and_pairs(file):
    """The clip's label, which `clip_record` chose, and its predictions, of each line of a file."""
    lines = [line.split(",") for line in file.read_text().splitlines()[1:]]
    return [(int(video_id[4:]) % NUM_CLASSES, pairs.split()) for video_id, pairs in lines]


def test_a_loss_brings_its_flags(data, tmp_path, capsys):
    focal = ("--label_loss=FocalLoss", "--focal_gamma=1", "--label_smoothing=0.1")
    assert train(data, tmp_path / "run", *focal, "--num_epochs=4", "--validation_percent=20") == 0
    assert "  loss         FocalLoss, focal_gamma=1.0, label_smoothing=0.1\n" in capsys.readouterr().out
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["train"]
    assert settings["label_loss"] == "FocalLoss"
    assert settings["loss_hyper_parameters"] == {
        "focal_gamma": 1.0,
        "focal_alpha": 0.25,
        "label_smoothing": 0.1,
        "class_weights": None,
    }
    assert train(data, tmp_path / "run", "--num_epochs=4", "--validation_percent=20", "--focal_gamma=2") == 0
    said = capsys.readouterr().out
    assert "--focal_gamma was 1.0, and is 2.0 from now on." in said
    assert "  loss         FocalLoss, label_smoothing=0.1\n" in said


@pytest.mark.parametrize("weights", ["inverse_frequency", "weights.csv"])
def test_eval_has_the_loss_that_validation_had(weights, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.csv").write_text("index,weight\n1,0.5\n4,30\n")
    asked = ("--label_loss=AsymmetricLoss", f"--class_weights={weights}", "--label_smoothing=0.1")
    assert train(data, "run", *asked, "--num_epochs=2", "--validation_percent=20") == 0
    (tmp_path / "weights.csv").unlink()  # eval needs the run alone
    assert run(eval_script, "--train_dir=run", f"--eval_data_pattern={data}/train*.tfrecord", "--held_out") == 0
    found = json.loads((tmp_path / "run" / "eval" / "metrics.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    validated = {line["step"]: line["loss"] for line in lines if line["part"] == "validation"}
    assert found["loss"] == pytest.approx(validated[found["step"]], rel=1e-5)


def test_class_weights_stay_when_a_run_is_resumed(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.csv").write_text("index,weight\n0,5\n")
    (tmp_path / "other.csv").write_text("index,weight\n0,7\n")

    def resumed(*more):
        """What the run says of class weights, and that of class 0 after it."""
        assert train(data, "run", *more) == 0
        said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("--class_weights")]
        return said, (tmp_path / "run" / "class_weights.csv").read_text().splitlines()[1]

    assert resumed("--num_epochs=1", "--class_weights=w.csv") == ([], "0,5")
    (tmp_path / "w.csv").write_text("index,weight\n0,50\n")
    assert resumed("--num_epochs=2") == ([], "0,5")
    said, weight = resumed("--class_weights=w.csv")
    assert (len(said), weight) == (1, "0,50")
    (tmp_path / "w.csv").unlink()
    assert resumed("--class_weights=w.csv") == ([], "0,50")
    assert resumed("--class_weights=other.csv") == (["--class_weights was w.csv, and is other.csv from now on."], "0,7")
    assert train(data, "run", "--class_weights=") == 0
    assert "--class_weights was other.csv, and is not set from now on." in capsys.readouterr().out
    assert not (tmp_path / "run" / "class_weights.csv").exists()
    assert train(data, "run", "--label_loss=FocalLoss") == 0
    assert "--focal_gamma is 2.0 from now on; it was not set before." in capsys.readouterr().out


def test_eval_names_the_class_weights_that_it_misses(data, tmp_path, capsys):
    assert train(data, tmp_path / "run", "--num_epochs=1", "--class_weights=inverse_frequency") == 0
    file = tmp_path / "run" / "class_weights.csv"
    file.unlink()
    assert evaluate(tmp_path / "run", data) == 2
    again = [f"--train_dir={tmp_path}/run", "--class_weights=inverse_frequency"]
    said = error_of(capsys)
    assert f"{file} is missing" in said
    assert f"train.py {' '.join(again)}." in said
    assert run(train_script, *again) == 0
    assert evaluate(tmp_path / "run", data) == 0


def test_a_run_from_before_there_were_losses_settings_goes_on(data, tmp_path, capsys):
    assert train(data, tmp_path / "run", "--num_epochs=1") == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    for name in ("loss_hyper_parameters", "teacher", "teacher_weight"):
        del config["train"][name]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert evaluate(tmp_path / "run", data) == 0
    capsys.readouterr()
    assert train(data, tmp_path / "run", "--num_epochs=1") == 0
    assert "from now on" not in capsys.readouterr().out


@pytest.fixture(scope="module")
def taught_wrongly(trained, data, tmp_path_factory):
    """A teacher of the clips to train on that takes class c for c + 1; of the first ten clips it knows nothing."""
    folder = tmp_path_factory.mktemp("teacher")
    pattern = f"--input_data_pattern={data}/train*.tfrecord"
    arguments = (f"--train_dir={trained}", pattern, f"--output_file={folder}/p.csv", f"--top_k={NUM_CLASSES}")
    assert run(inference_script, *arguments) == 0
    header, *lines = (folder / "p.csv").read_text().splitlines()
    wrong = [f"{line.split(',')[0]},{(int(line.split(',')[0][4:]) + 1) % NUM_CLASSES} 1" for line in lines[10:]]
    (folder / "wrong.csv").write_text("\n".join([header, *wrong, ""]))
    return folder


def test_a_student_learns_what_its_teacher_says(taught_wrongly, data, tmp_path, capsys):
    wrong = taught_wrongly / "wrong.csv"
    student = ("--num_epochs=20", f"--teacher={wrong}", "--teacher_weight=1")
    assert train(data, tmp_path / "run", *student) == 0
    known = (
        "knows 70 of 80 clips (1 of 5 classes each, the others count as 0); the other 10 learn from their labels alone"
    )
    assert f"  teacher      {wrong} at weight 1 {known}\n" in capsys.readouterr().out
    assert predict(tmp_path / "run", data, tmp_path / "p.csv", "--top_k=1") == 0
    as_taught = [int(best) == (label + 1) % NUM_CLASSES for label, (best, _) in labels_and_pairs(tmp_path / "p.csv")]
    assert np.mean(as_taught) > 0.8


def test_a_student_of_what_inference_wrote(taught_wrongly, data, tmp_path, capsys):
    teacher = f"--teacher={taught_wrongly / 'p.csv'}"
    assert train(data, tmp_path / "run", "--num_epochs=8", teacher) == 0
    assert "p.csv at weight 0.5 knows 80 of 80 clips\n" in capsys.readouterr().out
    assert predict(tmp_path / "run", data, tmp_path / "p.csv", "--top_k=1") == 0
    right = [int(best) == label for label, (best, _) in labels_and_pairs(tmp_path / "p.csv")]
    assert np.mean(right) > 0.8


def test_a_student_that_stopped_ends_as_one_that_did_not(taught_wrongly, data, tmp_path, capsys):
    teacher = f"--teacher={taught_wrongly / 'p.csv'}"
    assert train(data, tmp_path / "whole", "--num_epochs=2", teacher) == 0
    assert train(data, tmp_path / "stopped", "--num_epochs=2", "--max_steps=7", teacher) == 0
    assert train(data, tmp_path / "stopped", "--num_epochs=2", "--max_steps=10") == 0
    assert "Resuming at step 7 of 10." in capsys.readouterr().out
    files = [np.load(tmp_path / name / "checkpoints" / "step-00000010.npz") for name in ("whole", "stopped")]
    keys = [sorted(key for key in file.files if key != "state.json") for file in files]
    assert all(np.array_equal(files[0][one], files[1][other]) for one, other in zip(*keys, strict=True))
    assert train(data, tmp_path / "stopped", "--num_epochs=2", "--teacher=") == 0
    assert "p.csv, and is not set from now on." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is no file: name the CSV that inference.py wrote"),
        ("clip0000000,7 1", "line 2: a class that is not in 0 to 4"),
        ("someone,1 1", "has none of the 80 clips to train on (its first is someone, the clips' first is clip0000000)"),
    ],
)
def test_a_teacher_that_is_none(content, said, data, tmp_path, capsys):
    if content:
        (tmp_path / "p.csv").write_text(f"VideoId,LabelConfidencePairs\n{content}\n")
    assert train(data, tmp_path / "run", f"--teacher={tmp_path / 'p.csv'}") == 2
    error = error_of(capsys)
    assert f"--teacher={tmp_path / 'p.csv'}" in error
    assert said in error
    assert not (tmp_path / "run").exists()


# Resuming


def test_the_same_command_again_resumes(data, tmp_path, capsys):
    assert train(data, tmp_path / "run", "--num_epochs=1") == 0
    assert train(data, tmp_path / "run", "--num_epochs=2") == 0
    said = capsys.readouterr().out
    assert "--num_epochs was 1, and is 2 from now on." in said
    assert "Resuming at step 5 of 10." in said


def test_a_run_that_ended_by_max_steps_says_so(data, tmp_path, capsys):
    for _ in range(2):
        assert train(data, tmp_path / "run", "--max_steps=2") == 0
    assert "All steps were done before (a higher --max_steps goes on)" in capsys.readouterr().out


def test_a_finished_run_stays_as_it_is(trained, data, capsys):
    before = sorted((trained / "checkpoints").iterdir())
    assert run(train_script, f"--train_dir={trained}") == 0
    said = capsys.readouterr().out
    assert "of 16" in said
    assert "All steps were done before (a higher --num_epochs goes on)" in said
    assert sorted((trained / "checkpoints").iterdir()) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("--l2_penalty=0.1", "holds a run of another model: --l2_penalty is 1e-08 there"),
        ("--optimizer=SGD", "--optimizer was AdamOptimizer"),
        ("--batch_size=8", "--batch_size was 16"),
        ("--validation_percent=30", "--validation_percent was 20"),
        ("--num_epochs=2", "holds a run of 16 steps, and 8 are asked for"),
        ("--best_metric=loss", "--best_metric was mAP"),
        ("--accumulation_steps=3", "--batch_size=16 must be a multiple of 3"),
        ("--warmup_steps=99999", "--warmup_steps=99999 must be fewer than the 16 steps of the run"),
    ],
)
def test_what_may_not_change_in_a_run_is_refused_and_nothing_written(change, said, trained, data, capsys):
    before = (trained / "config.json").read_bytes()
    assert train(data, trained, change) == 2
    assert said in error_of(capsys)
    assert (trained / "config.json").read_bytes() == before


def test_a_header_says_what_is_not_usual(data, tmp_path, capsys):
    settings = ("--learning_rate_schedule=cosine", "--mixup_alpha=0.5", "--max_steps=2", "--num_epochs=9")
    assert train(data, tmp_path / "run", *settings) == 0
    said = capsys.readouterr().out
    assert "  with         learning_rate_schedule=cosine, mixup_alpha=0.5\n" in said
    assert "2 of 16 clips, at most 9 epochs" in said


def test_scores_that_overflow_are_said_to_come_of_the_learning_rate(data, tmp_path, capsys):
    settings = ("--precision=mixed_float16", "--base_learning_rate=1e8", "--validation_percent=20", "--num_epochs=2")
    assert train(data, tmp_path / "run", *settings) == 2
    assert "Lower --base_learning_rate (now 1e+08)" in error_of(capsys)


def test_start_new_model_leaves_what_is_no_run_alone(data, tmp_path):
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "aa.tfrecord").write_bytes(b"the user's")
    assert train(data, tmp_path, "--num_epochs=1", "--start_new_model") == 0
    assert train(data, tmp_path, "--num_epochs=1", "--start_new_model") == 0
    assert (tmp_path / "eval" / "aa.tfrecord").read_bytes() == b"the user's"


def test_everything_of_a_run_is_moved_aside(tmp_path):
    run = RunDirectory(str(tmp_path / "run"))
    for name in OURS:
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text(name)
    aside = run.move_aside()
    assert {name: (aside / name).read_text() for name in OURS} == {name: name for name in OURS}
    assert not [path for path in run.path.rglob("*") if path.is_file()]


def test_start_new_model_moves_the_old_run_aside_and_nothing_else(data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep me")
    assert train(data, tmp_path / "run", "--num_epochs=1", "--class_weights=inverse_frequency") == 0
    old = json.loads((tmp_path / "run" / "config.json").read_text())
    assert train(data, tmp_path / "run", "--num_epochs=1", "--start_new_model", model="LogisticModel") == 0
    assert json.loads((tmp_path / "run.old-1" / "config.json").read_text()) == old
    assert (tmp_path / "run.old-1" / "class_weights.csv").exists()
    assert not (tmp_path / "run" / "class_weights.csv").exists()
    assert (tmp_path / "run" / "mine.txt").exists()


# Mistakes: one line, exit status 2


def error_of(capsys):
    """The one line on stderr."""
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("warning:")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--batch_sise=8"], "Did you mean --batch_size?"),
        (["--model=LstmModle"], "Did you mean LstmModel?"),
        (["--optimizer=AdamOptimiser"], "Did you mean AdamOptimizer?"),
        (["--label_loss=CrossEntropy"], "Did you mean CrossEntropyLoss?"),
        (["--batch_size=many"], "--batch_size=many must be a whole number."),
        (["--model=my_package.my_module"], "Your own is written my_package.my_module:ITS_CLASS."),
        (["--batch_size=0"], "--batch_size=0 must be at least 1"),
        (["--base_learning_rate=0"], "--base_learning_rate=0.0 must be above 0"),
        (["--best_metric=map"], "--best_metric=map"),
        (["stray"], "stray is no flag"),
        (["--train_data_pattern=/nowhere/*.tfrecord"], "--train_data_pattern=/nowhere/*.tfrecord matches no file"),
        (["--model=MoeModel", "--frame_features"], "--frame_features does not fit --model=MoeModel"),
        (["--model=LstmModel", "--noframe_features"], "--model=LstmModel takes frames"),
        (["--input_normalization=L2"], "--input_normalization=L2 is none of batch, l2, none"),
        (["--feature_names=rgb"], "its feature lists are audio_embedding"),
        (["--feature_sizes=1024"], "has 128 values a frame"),
        (["--label_map=/nowhere.csv"], "--label_map=/nowhere.csv"),
        (["--validation_percent=100"], "--validation_percent=100"),
        (["--num_classes=3"], "label 3 is not in 0 to 2: set --num_classes"),
        (["--model=LstmModel", "--lstm_cells=0"], "--lstm_cells=0 must be at least 1"),
        (["--model=DbofModel", "--dbof_pooling_method=sum"], "--dbof_pooling_method=sum is none of max, average"),
        (["--l2_penalty=nan"], "--model=FrameLevelLogisticModel cannot be made of"),
        (["--seed=4294967296"], "--seed=4294967296 must be at most 4294967295"),
        (["--optimizer=adan"], "Did you mean Adam?"),
        (["--focal_gamma=1"], "--focal_gamma is no flag"),
        (["--label_loss=FocalLoss", "--focal_gamma=-1"], "--focal_gamma=-1 must be at least 0"),
        (["--label_loss=HingeLoss", "--label_smoothing=0.1"], "--label_smoothing=0.1 does not apply"),
        (["--class_weights=/nowhere.csv"], "--class_weights=/nowhere.csv is not inverse_frequency"),
        (["--early_stopping_patience=3"], "--early_stopping_patience=3 is of validations, and nothing is validated"),
        (["--frame_dropout=0.5", "--model=LogisticModel"], "--frame_dropout=0.5 changes the frames of a clip"),
        (
            ["--learning_rate_schedule=cosine", "--learning_rate_decay=0.5"],
            "--learning_rate_decay is of --learning_rate_",
        ),
        (["--teacher_weight=1.5"], "--teacher_weight=1.5 must be at most 1"),
        (["--teacher_weight=0.7"], "--teacher_weight=0.7 is of no teacher"),
        (["--feature_mask_size=128"], "--feature_mask_size=128 may blank all of the 128 features of a clip"),
    ],
)
def test_a_mistake_gets_one_line(arguments, said, data, tmp_path, capsys):
    assert train(data, tmp_path / "run", *arguments) == 2
    assert said in error_of(capsys)
    assert not list((tmp_path / "run").glob("checkpoints/step-*.npz"))


def test_a_run_of_another_model_is_not_written_over(trained, data, capsys):
    before = (trained / "config.json").read_bytes()
    assert train(data, trained, "--frame_features", "--lstm_cells=8", model="LstmModel") == 2
    assert "holds a run of another model: --model is FrameLevelLogisticModel there" in error_of(capsys)
    assert (trained / "config.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_corrupt_shard_is_named_or_skipped(damage, data, tmp_path, capsys):
    content = bytearray((data / "train0.tfrecord").read_bytes())
    size = len(content) // 20  # all records are alike
    if damage == "cut":
        del content[7 * size + 100 :]
    else:
        content[7 * size + 100] ^= 1
    (tmp_path / "train0.tfrecord").write_bytes(content)
    assert train(tmp_path, tmp_path / "run") == 2
    assert f"{tmp_path}/train0.tfrecord is corrupt at record 7" in error_of(capsys)
    assert train(tmp_path, tmp_path / "run", "--skip_corrupt_records") == 0
    assert f"{tmp_path}/train0.tfrecord: 1 corrupt record left out" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_named(data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert train(data, tmp_path / "file" / "run") == 2
    assert f"--train_dir={tmp_path}/file/run cannot be written" in error_of(capsys)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(data, tmp_path, capsys):
    huge = ("--base_learning_rate=1e38", "--clip_gradient_norm=0", "--optimizer=SGD", "--num_epochs=20")
    assert train(data, tmp_path / "run", *huge) == 2
    assert "The loss is not finite at step" in error_of(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--train_dir="], "--train_dir is missing"),
        (["--train_dir=/nowhere"], "--train_dir=/nowhere holds no run"),
        (["--checkpoint=7"], "--checkpoint=7"),
        (["--eval_data_pattern=/nowhere/*"], "--eval_data_pattern=/nowhere/* matches no file"),
        (["--eval_data_pattern="], "--eval_data_pattern is missing"),
        (["--top_k=0"], "top_k"),
        (["--batch_size=0"], "--batch_size=0"),
        (["--predictions=p.csv"], "--train_dir and --predictions are several things to evaluate"),
        (["--train_dir=", "--input_model=/nowhere"], "--input_model=/nowhere is not there"),
        (["--train_dir=", "--predictions=/nowhere.csv"], "--predictions=/nowhere.csv is no file"),
        (["--bootstrap=-1"], "--bootstrap=-1 must be at least 0"),
        (["--max_eval_memory=0"], "--max_eval_memory=0 must be at least 1"),
        (["--output_scores=/nowhere/s.npz"], "--output_scores=/nowhere/s.npz: there is no folder /nowhere"),
        (["--eval_ids=/nowhere"], "--eval_ids=/nowhere cannot be read"),
    ],
)
def test_a_mistake_in_eval_gets_one_line(arguments, said, trained, data, capsys):
    assert evaluate(trained, data, *arguments) == 2
    assert said in error_of(capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output_file="], "--output_file is missing"),
        (["--output_file=/nowhere/p.csv"], "there is no folder /nowhere"),
        (["--top_k=0"], "--top_k=0 must be at least 1"),
        (["--batch_size=0"], "--batch_size=0"),
        (["--label_names"], "have no names: give --label_map"),
    ],
)
def test_a_mistake_in_inference_gets_one_line(arguments, said, trained, data, tmp_path, capsys):
    assert predict(trained, data, tmp_path / "p.csv", *arguments) == 2
    assert said in error_of(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_input_leaves_no_half_csv(trained, data, tmp_path, capsys):
    content = bytearray((data / "eval0.tfrecord").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "eval0.tfrecord").write_bytes(content)
    (tmp_path / "p.csv").write_text("an earlier one\n")
    assert predict(trained, tmp_path, tmp_path / "p.csv", "--batch_size=2") == 2
    assert "eval0.tfrecord is corrupt at record" in error_of(capsys)
    assert (tmp_path / "p.csv").read_text() == "an earlier one\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eval0.tfrecord", "p.csv"]


def test_a_run_in_bfloat16_is_evaluated_in_it(data, tmp_path, capsys):
    assert train(data, tmp_path, "--num_epochs=4", "--validation_percent=20", "--precision=mixed_bfloat16") == 0
    assert keras.config.dtype_policy().compute_dtype == "bfloat16"
    keras.config.set_dtype_policy("float32")
    assert evaluate(tmp_path, data) == 0
    assert keras.config.dtype_policy().compute_dtype == "bfloat16"
    assert json.loads((tmp_path / "eval" / "metrics.json").read_text())["mAP"] > 0.5
    assert train(data, tmp_path, "--num_epochs=5", "--precision=float32") == 0
    assert "--precision was mixed_bfloat16, and is float32 from now on" in capsys.readouterr().out
    assert keras.config.dtype_policy().compute_dtype == "float32"
