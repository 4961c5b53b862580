"""python -m yt8m_audio export RUN OUT: writes a run's model as a SavedModel, or as a file of another format."""

import contextlib
import dataclasses
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf

from yt8m_audio.commands.assemble import restore_model
from yt8m_audio.commands.calibrated import calibration_of, check_calibration
from yt8m_audio.commands.export_comparison import CALIBRATION_CLIPS, clips_of, clips_to_compare, compare
from yt8m_audio.commands.export_signatures import signatures_of
from yt8m_audio.commands.feature_sources import source_of_run
from yt8m_audio.config import Config, DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import FILE as CALIBRATION
from yt8m_audio.evaluation.calibration import Calibration
from yt8m_audio.feature_source import NOTE
from yt8m_audio.flags import POSITIONAL, InferenceFlags, parse
from yt8m_audio.prediction.agreement import Runner, keras_file_runner, model_runner, saved_model_runner
from yt8m_audio.prediction.export import export_keras_file, export_saved_model, folder_beside
from yt8m_audio.prediction.litert_file import QUANTIZATIONS, litert_file, litert_runner
from yt8m_audio.prediction.model_archive import pack_model, unpack_model
from yt8m_audio.prediction.onnx_file import onnx_file, onnx_runner
from yt8m_audio.prediction.signatures import FEATURES
from yt8m_audio.run_directory import RunDirectory, written_beside
from yt8m_audio.training.checkpoints import Checkpoints

ABOUT = "Writes a run's model as a SavedModel, which needs nothing of this project, or as a file of another format."
ENDINGS = {"keras": ".keras", "litert": ".tflite", "onnx": ".onnx", "tgz": ".tgz"}  # none: a SavedModel's folder
PACKED = ("config.json", "model_flags.json", "class_weights.csv", CALIBRATION)
OF_LOGITS = ("keras", "tgz")  # what they give; a .tgz has the calibration in it
TOLERANCES = {"none": 1e-4, "float16": 0.05, "dynamic": math.inf, "int8": math.inf}  # of scores, by quantisation


@dataclasses.dataclass(frozen=True)
class ExportFlags:
    """What is exported, and to where.

    Attributes:
        run: Run directory that train.py left.
        out: What to write: a folder that is not there yet, a SavedModel; or a file that ends with .keras, .tflite,
            .onnx or .tgz.
        format: saved_model, keras, litert, onnx or tgz. As the end of OUT says when empty.
        checkpoint: Which checkpoint: best (by validation; the last one where there was none), last, or a step.
        quantize: Of LiteRT: none, float16 (half the size), dynamic (a quarter: weights of 8 bits) or int8 (that, and
            what matrix products take and give; it needs --calibration_data_pattern).
        calibration_data_pattern: Glob of records; int8 takes the ranges of values from their first 500 clips.
        serving_default: Which signature of a SavedModel is served where none is named: features, top_k, examples (the
            starter code's) or mediapipe.
        label_map: CSV of display names for top_k's class_names. The run's own, or for 527 classes AudioSet's, when
            empty.
        calibration: Whether scores are at the temperature of the run's calibration.json: auto (where it is there) or
            none.
        compare_data_pattern: Glob of records to compare the export with the model on. The run's own when empty.
        compare_clips: How many clips are compared, the first ones.
    """

    run: str = dataclasses.field(metadata=POSITIONAL)
    out: str = dataclasses.field(metadata=POSITIONAL)
    format: str = ""
    checkpoint: str = "best"
    quantize: str = "none"
    calibration_data_pattern: str = ""
    serving_default: str = FEATURES
    label_map: str = ""
    calibration: str = "auto"
    compare_data_pattern: str = ""
    compare_clips: int = 256


@dataclasses.dataclass(frozen=True)
class Exported:
    """What there is to export.

    Attributes:
        asked: the command line.
        run: where from.
        config: the run's settings, of the precision that is computed in.
        step: whose checkpoint.
        model: restored.
        features: what it is fed.
        calibration: that scores are at, or None.
    """

    asked: ExportFlags
    run: RunDirectory
    config: Config
    step: int
    model: keras.Model
    features: tf.TensorSpec
    calibration: Calibration | None = None

    @property
    def temperature(self) -> float:
        """That logits are divided by."""
        return self.calibration.temperature if self.calibration else 1.0

    @property
    def notes(self) -> dict[str, str]:
        """The calibration and the features' source as JSON, by the names of their files, for what can hold notes."""
        notes = {CALIBRATION: self.calibration, NOTE: source_of_run(self.config.data)}
        return {name: json.dumps(dataclasses.asdict(note)) for name, note in notes.items() if note is not None}


def main(argv) -> int:
    """Writes the model, runs what was written beside it, and says how it is called."""
    asked = parse(argv, ABOUT, ExportFlags)
    kind = format_of(asked)
    check(asked, kind)
    out, exported = Path(asked.out), restore(asked, kind)
    clips, of_what = clips_to_compare(
        exported.config.data, exported.features, asked.compare_data_pattern, asked.compare_clips
    )
    with partial_of(out, kind) as partial:
        runner, takes = WRITERS[kind](exported, partial)
        temperature = 1.0 if kind in OF_LOGITS else exported.temperature
        said = compare(exported.model, runner, clips, of_what, tolerance_of(exported), asked.out, temperature)
    print(f"Exported step {exported.step:,} to {out}: {takes}")
    print(said)
    return 0


def format_of(asked: ExportFlags) -> str:
    """The format that is asked for, by name or by the end of OUT.

    Raises:
        UserError: if there is no such format, or OUT ends as another one does, or as none.
    """
    ends = next((kind for kind, ending in ENDINGS.items() if asked.out.endswith(ending)), "saved_model")
    kind = asked.format or ends
    if kind not in WRITERS:
        raise UserError(f"--format={kind} is none of {', '.join(WRITERS)}.")
    ending = Path(asked.out).suffix
    if not asked.format and kind == "saved_model" and ending[1:].isalpha():
        known = ", ".join(ENDINGS.values())
        raise UserError(
            f"{asked.out}: {ending} is none of {known}; for a folder of that name, give --format=saved_model."
        )
    if kind != ends:
        named = f"a file that ends with {ENDINGS[kind]}" if kind in ENDINGS else "a folder"
        raise UserError(f"--format={kind} is written to {named}, and {asked.out} is none.")
    return kind


def check(asked: ExportFlags, kind: str) -> None:
    """Raises a UserError where the output cannot be what was asked for; makes the folder of MODEL/VERSION."""
    out = Path(asked.out)
    if out.name.isdecimal():  # TensorFlow Serving's .../MODEL/VERSION
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
    if not out.absolute().parent.is_dir():
        raise UserError(f"{out}: there is no folder {out.absolute().parent}.")
    if out.is_dir() or (out.exists() and kind == "saved_model"):
        raise UserError(f"{out} is there already: name a new folder, or a file of another format.")
    check_calibration(InferenceFlags(calibration=asked.calibration))
    if asked.quantize not in QUANTIZATIONS:
        raise UserError(f"--quantize={asked.quantize} is none of {', '.join(QUANTIZATIONS)}.")
    if asked.quantize != "none" and kind != "litert":
        raise UserError(f"--quantize={asked.quantize} is of LiteRT: name a file that ends with .tflite.")
    if asked.quantize == "int8" and not asked.calibration_data_pattern:
        raise UserError("--quantize=int8 needs --calibration_data_pattern: a glob of records like those to predict.")


def restore(asked: ExportFlags, kind: str) -> Exported:
    """Makes the model with a checkpoint's weights; in float32 for formats that do not know the run's precision."""
    run = RunDirectory(asked.run)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    if kind in ("keras", "litert", "onnx"):  # Keras' file keeps the precision of some layers and not of others
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, precision="float32"))
    step, features = checkpoints.step_of(asked.checkpoint), fed_with(config.data)
    spec = {"features": features, "num_frames": tf.TensorSpec((None,), tf.int32)}
    calibration = None
    if kind not in OF_LOGITS:
        wanted = InferenceFlags(calibration=asked.calibration)
        calibration = calibration_of(wanted, run, step, config.data.num_classes)
    return Exported(asked, run, config, step, restore_model(config, checkpoints, step, spec), features, calibration)


def tolerance_of(exported: Exported) -> float:
    """How far scores of the export may be from the model's."""
    precise = exported.config.train.precision == "float32"  # else operations in another order round otherwise
    return TOLERANCES[exported.asked.quantize] if precise else TOLERANCES["float16"]


@contextlib.contextmanager
def partial_of(out: Path, kind: str) -> Iterator[Path]:
    """Where to write, until what is written was compared."""
    with folder_beside(out) if kind == "saved_model" else written_beside(out) as partial:
        yield partial


def fed_with(data: DataConfig) -> tf.TensorSpec:
    """What features a run's model is fed: bytes of frames where all are quantised, else floats."""
    frames = (data.segment_size if data.segment_labels else data.max_frames,) if data.frame_features else ()
    dtype = tf.uint8 if data.frame_features and set(data.types) == {"uint8"} else tf.float32
    return tf.TensorSpec((None, *frames, sum(data.model_sizes)), dtype)


def takes_and_gives(exported: Exported, batch: str = "B") -> str:
    """What a function of plain features takes and gives, in words."""
    features, classes = exported.features, exported.config.data.num_classes
    shape = ", ".join([batch, *map(str, features.shape[1:])])
    takes = f"features {features.dtype.name} [{shape}] and num_frames int32 [{batch}] in"
    return f"{takes}, predictions float32 [{batch}, {classes}] out."


# A writer for each format: gives what runs the file, and says how it is called


def write_saved_model(exported: Exported, path: Path) -> tuple[Runner, str]:
    """Writes a SavedModel's folder."""
    data, asked = exported.config.data, exported.asked
    more = signatures_of(exported.model, data, exported.features, asked.label_map, exported.temperature)
    names = [FEATURES, *more]
    if asked.serving_default not in names:
        raise UserError(f"--serving_default={asked.serving_default}: this run's model has {', '.join(names)}.")
    export_saved_model(
        exported.model, path, exported.features, more, asked.serving_default, exported.temperature, exported.notes
    )
    said = f"{takes_and_gives(exported)} Signatures: {', '.join(names)}; serving_default is {asked.serving_default}."
    return saved_model_runner(path), said


def write_keras(exported: Exported, path: Path) -> tuple[Runner, str]:
    """Writes Keras' own file."""
    export_keras_file(exported.model, path)
    said = "for keras.models.load_model."
    if exported.asked.calibration == "auto" and (exported.run.path / CALIBRATION).exists():
        said += f" It gives logits: divide them by the temperature in {exported.run.path / CALIBRATION}."
    return keras_file_runner(path), said


def write_litert(exported: Exported, path: Path) -> tuple[Runner, str]:
    """Writes a LiteRT file."""
    asked, calibration = exported.asked, None
    if asked.quantize == "int8":
        pattern, flag = asked.calibration_data_pattern, "calibration_data_pattern"
        batches = clips_of(exported.config.data, exported.features, pattern, flag, CALIBRATION_CLIPS)
        calibration = [clip for each in batches for clip in zip(each["features"], each["num_frames"], strict=True)]
    content = litert_file(exported.model, exported.features, asked.quantize, calibration, exported.temperature)
    path.write_bytes(content)
    said = f"{len(content):,} bytes; {takes_and_gives(exported, batch='1')}"
    if exported.calibration:
        said += f" The thresholds are in {exported.run.path / CALIBRATION} alone."
    return litert_runner(content), said


def write_onnx(exported: Exported, path: Path) -> tuple[Runner, str]:
    """Writes an ONNX file."""
    content = onnx_file(exported.model, exported.features, exported.temperature, exported.notes)
    path.write_bytes(content)
    return onnx_runner(content), takes_and_gives(exported)


def write_tgz(exported: Exported, path: Path) -> tuple[Runner, str]:
    """Packs the run, with this one checkpoint and without what its optimizer needs."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(str(Path(folder, "packed")))
        run.create()
        for name in PACKED:
            if (exported.run.path / name).exists():
                Path(run.path, name).write_text((exported.run.path / name).read_text())
        Checkpoints(run.checkpoints).save(exported.step, exported.model.variables)
        pack_model(Path(run.path), path)
        unpacked = restored_from(str(unpack_model(str(path), str(Path(folder, "unpacked")))))
    return model_runner(unpacked), "python inference.py --input_model_tgz takes it, with --untar_model_dir."


def restored_from(folder: str) -> keras.Model:
    """The model of an unpacked run."""
    return restore(ExportFlags(folder, ""), "tgz").model


WRITERS: dict[str, Callable[[Exported, Path], tuple[Runner, str]]] = {
    "saved_model": write_saved_model,
    "keras": write_keras,
    "litert": write_litert,
    "onnx": write_onnx,
    "tgz": write_tgz,
}
