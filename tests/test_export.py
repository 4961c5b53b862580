"""A trained model out of its run: what is written gives what the run gives."""

import base64
import csv
import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.test_families import FAMILIES
from tests.test_scripts import clip_record, data, predict, run, trained  # noqa: F401  fixtures
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.batch import dequantize
from yt8m_audio.commands.export import TOLERANCES, fed_with
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import Calibration, at_temperature, write_calibration
from yt8m_audio.prediction.agreement import saved_model_runner
from yt8m_audio.prediction.export import export_saved_model, folder_beside
from yt8m_audio.prediction.litert_file import litert_runner
from yt8m_audio.prediction.model_archive import pack_model, unpack_model
from yt8m_audio.prediction.onnx_file import onnx_runner
from yt8m_audio.records import write_shard
from yt8m_audio.run_directory import RunDirectory

CLIPS = np.random.default_rng(0).integers(0, 256, (3, 10, 128), dtype=np.uint8)
NUM_FRAMES = np.array([10, 3, 0], "int32")


def export(*arguments):
    """Runs the command."""
    return main_of_command(["yt8m_audio", "export", *map(str, arguments)])


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):  # noqa: F811
    """The run's model in both forms."""
    folder = tmp_path_factory.mktemp("exported")
    assert export(trained, folder / "model.keras") == 0
    assert export(trained, folder / "saved") == 0
    return folder


def served(folder):
    return tf.saved_model.load(str(folder)).signatures["serving_default"]


def test_both_forms_say_the_same(exported):
    model = keras.models.load_model(exported / "model.keras")
    logits = model({"features": CLIPS, "num_frames": NUM_FRAMES})
    found = served(exported / "saved")(features=tf.constant(CLIPS), num_frames=tf.constant(NUM_FRAMES))["predictions"]
    np.testing.assert_allclose(found, keras.ops.sigmoid(logits), rtol=1e-5)
    assert np.ptp(np.array(found)) > 0.1
    assert sorted(each.name for each in exported.iterdir()) == ["model.keras", "saved"]


def test_it_says_what_inference_says(exported, trained, data, tmp_path):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", "--top_k=1") == 0
    with open(tmp_path / "p.csv") as file:
        said = {row["VideoId"]: row["LabelConfidencePairs"].split() for row in csv.DictReader(file)}
    from readers import open_clips

    pattern = f"{data}/eval*.tfrecord"
    clips = open_clips(pattern, "input_data_pattern", DataConfig(frame_features=True, max_frames=10))
    batch = next(iter(clips.in_order(23)))
    found = served(exported / "saved")(features=batch["features"], num_frames=batch["num_frames"])["predictions"]
    for name, scores in zip(batch["video_id"].numpy(), found.numpy(), strict=True):
        label, score = said[name.decode()]
        assert int(label) == scores.argmax()
        assert float(score) == pytest.approx(scores.max(), rel=1e-4)


def test_a_folder_that_is_there_is_left_alone(exported, trained):  # noqa: F811
    with pytest.raises(UserError, match="is there already"):
        export(trained, exported / "saved")


def test_a_parent_that_is_not_there(trained, tmp_path):  # noqa: F811
    with pytest.raises(UserError, match="there is no folder"):
        export(trained, tmp_path / "no" / "saved")


def test_a_failure_leaves_nothing(tmp_path):
    class FailingModel(keras.Model):
        def call(self, inputs, training=False):
            raise ArithmeticError

    with pytest.raises(Exception, match="ArithmeticError"), folder_beside(tmp_path / "saved") as partial:
        export_saved_model(FailingModel(), partial, tf.TensorSpec((None, 2), tf.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "shape", "dtype"),
    [
        ({"frame_features": True, "max_frames": 10, "feature_types": "uint8"}, (None, 10, 6), tf.uint8),
        ({"frame_features": True, "max_frames": 7, "feature_types": "uint8,float32"}, (None, 7, 6), tf.float32),
        ({"frame_features": True, "segment_labels": True, "feature_types": "uint8"}, (None, 5, 6), tf.uint8),
        ({"frame_features": False}, (None, 6), tf.float32),
        ({"frame_features": False, "pooling": "mean_std_max"}, (None, 18), tf.float32),
    ],
)
def test_what_a_model_is_fed_with(settings, shape, dtype):
    spec = fed_with(DataConfig(feature_sizes="4,2", **settings))
    assert (tuple(spec.shape), spec.dtype) == (shape, dtype)


# Signatures of a SavedModel


@pytest.fixture(scope="module")
def records():
    return [clip_record(1000 + number, num_frames=1 + number) for number in range(3)]


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported / "saved")).signatures


@pytest.fixture(scope="module")
def plain(signatures, records):
    """What the signature of plain features says of the records, and these features."""
    frames = np.zeros((3, 10, 128), np.uint8)
    for number, record in enumerate(records):
        parsed = tf.train.SequenceExample.FromString(record).feature_lists.feature_list["audio_embedding"].feature
        for second, each in enumerate(parsed):
            frames[number, second] = np.frombuffer(each.bytes_list.value[0], np.uint8)
    num_frames = np.arange(1, 4, dtype=np.int32)
    found = signatures["features"](features=tf.constant(frames), num_frames=tf.constant(num_frames))
    return found["predictions"].numpy(), frames, num_frames


def test_serialised_examples(signatures, records, plain):
    found = signatures["examples"](example_bytes=tf.constant(records))
    assert set(found) == {"video_id", "class_indexes", "predictions"}
    assert found["video_id"].numpy().tolist() == [b"clip0001000", b"clip0001001", b"clip0001002"]
    order = np.argsort(-plain[0], axis=1)
    np.testing.assert_array_equal(found["class_indexes"], order)
    np.testing.assert_allclose(found["predictions"], np.take_along_axis(plain[0], order, axis=1), rtol=1e-6)


def test_mediapipes_of_sound_alone(signatures, plain):
    scores, frames, num_frames = plain
    padded = np.pad(np.array(dequantize(frames)), ((0, 0), (0, 3), (0, 0)))
    found = signatures["mediapipe"](audio=tf.constant(padded), num_frames=tf.constant(num_frames[:, None]))
    np.testing.assert_allclose(found["predictions"], scores, rtol=1e-5)


def test_top_k_without_names(signatures, plain):
    found = signatures["top_k"](features=tf.constant(plain[1]), num_frames=tf.constant(plain[2]))
    assert set(found) == {"class_indexes", "predictions"}  # five classes: no label map
    np.testing.assert_array_equal(found["class_indexes"][:, 0], plain[0].argmax(axis=1))


def test_serving_default_can_be_the_starters_and_top_k_has_names(trained, tmp_path):  # noqa: F811
    (tmp_path / "names.csv").write_text("index,display_name\n" + "".join(f"{i},Class {i}\n" for i in range(5)))
    arguments = ("--serving_default=examples", f"--label_map={tmp_path}/names.csv")
    assert export(trained, tmp_path / "saved", *arguments) == 0
    found = tf.saved_model.load(str(tmp_path / "saved")).signatures
    assert set(found["serving_default"].structured_input_signature[1]) == {"example_bytes"}
    best = found["top_k"](features=tf.constant(CLIPS), num_frames=tf.constant(NUM_FRAMES))
    wanted = [[f"Class {number}".encode() for number in row] for row in best["class_indexes"].numpy()]
    assert best["class_names"].numpy().tolist() == wanted


@pytest.fixture(scope="module")
def youtube8m(tmp_path_factory):
    """A run of a video-level model on made records with pictures and sound, sound first."""
    import train as train_script

    folder = tmp_path_factory.mktemp("youtube8m")
    family = FAMILIES["YouTube-8M frames, id"]
    write_shard(str(folder / "a.tfrecord"), [family.record(number, 3 + number, [number % 5]) for number in range(8)])
    pattern, names = f"--train_data_pattern={folder}/*.tfrecord", "--feature_names=audio,rgb"
    settings = ("--model=LogisticModel", "--num_classes=5", "--batch_size=4", "--num_epochs=1", "--max_frames=7")
    assert run(train_script, pattern, names, *settings, f"--train_dir={folder}/run") == 0
    return folder


def test_mediapipes_of_pictures_and_sound(youtube8m, tmp_path):
    assert export(youtube8m / "run", tmp_path / "saved") == 0
    found = tf.saved_model.load(str(tmp_path / "saved")).signatures
    record = FAMILIES["YouTube-8M frames, id"].record(2, 5, [])
    lists = tf.train.SequenceExample.FromString(record).feature_lists.feature_list
    rgb, audio = ([list(each.bytes_list.value[0]) for each in lists[name].feature] for name in ("rgb", "audio"))
    frames = dequantize(np.concatenate([rgb, audio], axis=1).astype(np.uint8))[None]
    scores = found["mediapipe"](rgb_and_audio=tf.constant(frames), num_frames=tf.constant([[5]]))["predictions"]
    best = found["examples"](example_bytes=tf.constant([record]))
    np.testing.assert_allclose(np.sort(scores)[:, ::-1], best["predictions"], rtol=1e-5)


# TensorFlow Serving


def decoded(body: str, signatures):
    """What TensorFlow Serving makes of a REST request: the signature, and its inputs as tensors."""

    def value(given):
        if isinstance(given, dict):
            return base64.b64decode(given["b64"], validate=True)
        return [value(each) for each in given] if isinstance(given, list) else given

    request = json.loads(body)
    signature = signatures[request.get("signature_name", "serving_default")]
    specs = signature.structured_input_signature[1]
    rows = request["instances"]
    if len(specs) == 1 and not (isinstance(rows[0], dict) and set(rows[0]) == set(specs)):
        rows = [{next(iter(specs)): row} for row in rows]
    columns = {name: tf.constant([value(row[name]) for row in rows], spec.dtype) for name, spec in specs.items()}
    return signature, columns


def test_the_documented_rest_requests(signatures, records, plain):
    text = (Path(__file__).parents[1] / "docs" / "export.md").read_text()
    blocks = re.findall(r"```python\n(import base64.*?)```", text, re.S)
    assert len(blocks) == 1
    found = {"records": records, "features": plain[1], "num_frames": plain[2]}
    exec(blocks[0], found)
    signature, inputs = decoded(found["of_records"], signatures)
    assert signature(**inputs)["class_indexes"].numpy()[:, 0].tolist() == plain[0].argmax(axis=1).tolist()
    signature, inputs = decoded(found["of_features"], signatures)
    np.testing.assert_allclose(signature(**inputs)["predictions"], plain[0], rtol=1e-6)


def test_a_version_is_a_folder_of_its_own(trained, tmp_path):  # noqa: F811
    assert export(trained, tmp_path / "logistic" / "1") == 0
    assert export(trained, tmp_path / "logistic" / "2") == 0
    assert sorted(each.name for each in (tmp_path / "logistic").iterdir()) == ["1", "2"]
    assert (tmp_path / "logistic" / "2" / "saved_model.pb").is_file()


# Files of other formats


@pytest.mark.parametrize("more", [(), ("--quantize=float16",), ("--quantize=dynamic",), ("--quantize=int8",)])
def test_litert(trained, data, tmp_path, capsys, more):  # noqa: F811
    pattern = (f"--calibration_data_pattern={data}/train*.tfrecord",) if "int8" in str(more) else ()
    assert export(trained, tmp_path / "model.tflite", *more, *pattern) == 0
    said = capsys.readouterr().out
    assert "features uint8 [1, 10, 128] and num_frames int32 [1] in, predictions float32 [1, 5] out." in said
    assert re.search(
        r"Compared on 80 clips of .*train\*.tfrecord: scores differ by at most [\de.-]+.*; mAP [01]\.\d+", said
    )
    scores = litert_runner((tmp_path / "model.tflite").read_bytes())(CLIPS, NUM_FRAMES)
    assert (scores.shape, [each.name for each in tmp_path.iterdir()]) == ((3, 5), ["model.tflite"])


def test_onnx(trained, tmp_path):  # noqa: F811
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is of the extra [onnx], which is not here")
    import onnxruntime

    assert export(trained, tmp_path / "model.onnx") == 0
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(["predictions"], {"features": CLIPS, "num_frames": NUM_FRAMES})[0]
    assert (found.shape, found.dtype) == ((3, 5), np.float32)


def test_an_export_that_says_something_else_is_not_written(trained, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setitem(TOLERANCES, "none", -1.0)
    with pytest.raises(UserError, match=r"model.tflite is not written: its scores of 80 clips of .* differ"):
        export(trained, tmp_path / "model.tflite")
    assert list(tmp_path.iterdir()) == []


def test_tgz_there_and_back(trained, data, tmp_path):  # noqa: F811
    assert export(trained, tmp_path / "model.tgz") == 0
    unpacked = unpack_model(str(tmp_path / "model.tgz"), str(tmp_path / "unpacked"))
    assert json.loads((unpacked / "model_flags.json").read_text())["model"] == "FrameLevelLogisticModel"
    assert RunDirectory(str(unpacked)).load_config() == RunDirectory(str(trained)).load_config()
    for folder in (trained, unpacked):
        assert predict(folder, data, tmp_path / f"{folder.name}.csv") == 0
    assert (tmp_path / "unpacked.csv").read_bytes() == (tmp_path / f"{trained.name}.csv").read_bytes()


@pytest.mark.parametrize(
    ("out", "arguments", "said"),
    [
        ("m", ["--format=onxx"], "--format=onxx is none of saved_model, keras, litert, onnx, tgz"),
        ("m.tflite", ["--format=onnx"], "written to a file that ends with .onnx, and .*m.tflite is none"),
        ("m.keras", ["--format=saved_model"], "written to a folder"),
        ("m.tflite", ["--quantize=int4"], "--quantize=int4 is none of none, float16, dynamic, int8"),
        ("m", ["--quantize=float16"], "--quantize=float16 is of LiteRT"),
        ("m.tflite", ["--quantize=int8"], "needs --calibration_data_pattern"),
        ("m.tflite", ["--compare_data_pattern=no/*.tfrecord"], "--compare_data_pattern=no"),
        ("m", ["--serving_default=rest"], "--serving_default=rest: this run's model has features, top_k, examples"),
    ],
)
def test_what_cannot_be_exported_so(trained, tmp_path, out, arguments, said):  # noqa: F811
    with pytest.raises(UserError, match=said):
        export(trained, tmp_path / out, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_records_that_are_gone_are_replaced_by_made_clips(trained, tmp_path, capsys):  # noqa: F811
    moved = unpack_model(str(packed_elsewhere(trained, tmp_path)), str(tmp_path / "moved"))
    assert export(moved, tmp_path / "model.keras") == 0
    said = capsys.readouterr().out
    assert "note: the run's own records cannot be read, so made clips are compared." in said
    assert "Compared on 32 made clips: scores" in said


def packed_elsewhere(run_folder, folder):
    """The run as a .tgz, whose records are no longer where they were."""
    copy = folder / "copy"
    (copy / "checkpoints").mkdir(parents=True)
    config = json.loads((run_folder / "config.json").read_text())
    config["data"]["train_data_pattern"] = str(folder / "gone" / "*.tfrecord")
    (copy / "config.json").write_text(json.dumps(config))
    for path in (run_folder / "checkpoints").iterdir():
        (copy / "checkpoints" / path.name).write_bytes(path.read_bytes())
    pack_model(copy, folder / "copy.tgz")
    return folder / "copy.tgz"


@pytest.mark.parametrize("out", ["served", "m.tflite", "m.onnx", "m.keras"])
def test_scores_are_at_the_temperature_of_the_runs_calibration(out, trained, data, tmp_path, capsys):  # noqa: F811
    run = shutil.copytree(trained, tmp_path / "run")
    write_calibration(Calibration(2.0, (0.5,) * 5, 0.5, (), {}, {}), run)
    if out.endswith("onnx"):
        pytest.importorskip("tf2onnx")
    assert export(run, tmp_path / out) == 0
    said = capsys.readouterr().out
    if out == "m.keras":
        assert f"divide them by the temperature in {run}/calibration.json" in said
        return
    assert "Scores are at temperature 2" in said
    assert export(run, tmp_path / f"plain-{out}", "--calibration=none") == 0
    hot, plain = (runner_of(tmp_path / name)(CLIPS, NUM_FRAMES) for name in (out, f"plain-{out}"))
    np.testing.assert_allclose(hot, at_temperature(plain, 2.0), atol=1e-5)
    if out == "served":
        assert json.loads((tmp_path / out / "assets.extra" / "calibration.json").read_text())["temperature"] == 2


def runner_of(path):
    """What runs an exported model."""
    if path.suffix == ".tflite":
        return litert_runner(path.read_bytes())
    return onnx_runner(path.read_bytes()) if path.suffix == ".onnx" else saved_model_runner(path)
