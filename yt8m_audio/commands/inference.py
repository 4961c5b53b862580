"""What inference.py does: predicts clips with a run, an exported model or several of them, and writes files."""

import contextlib
import dataclasses
import functools
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from yt8m_audio.commands.calibrated import check_calibration, thresholds_asked
from yt8m_audio.commands.chosen_classes import chosen_classes
from yt8m_audio.commands.inference_models import Models, open_models, records_of
from yt8m_audio.config import DeviceConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.provenance import segment_names
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.labels import label_map_for
from yt8m_audio.paths import RemotePath, is_remote, path_of
from yt8m_audio.prediction.audacity import FILE_SUFFIX
from yt8m_audio.prediction.batch_inference import BatchInference
from yt8m_audio.prediction.ensembles import Ensemble
from yt8m_audio.prediction.formats import SEGMENTS, format_for
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.model_archive import unpack_model
from yt8m_audio.prediction.output_shards import of_worker, output_shards
from yt8m_audio.prediction.predicted import Format, Predicted
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.prediction.segments_csv import read_segment_label_ids
from yt8m_audio.prediction.windows import windowed
from yt8m_audio.progress_line import ProgressLine, Throughput, duration
from yt8m_audio.sample.dataset import cache_folder
from yt8m_audio.training.strategy import fitting_strategy, make_strategy

LABELS, SCORES = "labels", "scores"
AUDACITY = "audacity"
NAMED_ANYWAY = ("timeline", AUDACITY)
RUN_MARK = "config.json"
STAGING_LETTERS = 16  # of a digest
ELSEWHERE = {"train_dir", "input_model", "input_data_pattern", "checkpoint"}  # in the facts in another form
ELSEWHERE |= {"input_model_tgz", "untar_model_dir"}
ELSEWHERE |= {"strategy", "num_gpu", "num_cpu_devices", "tpu"}
ELSEWHERE |= {"output_file", "worker", "num_readers", "skip_corrupt_records"}  # of no row's content


def predict_to_file(asked: InferenceFlags) -> int:
    """Predicts what the command line asks for; returns the exit status.

    Raises:
        UserError: if there is no model, the clips do not fit it, or the file cannot be written.
    """
    check_output(asked)
    check_calibration(asked)
    strategy = devices_asked(asked)
    with unpacked(asked) as asked, strategy.scope(), memory_explained(asked):
        return predict_with(open_models(asked), asked, strategy)


def devices_asked(asked: InferenceFlags) -> tf.distribute.Strategy:
    """The devices to predict on.

    Raises:
        UserError: if they are not there, or are several machines.
    """
    config = DeviceConfig(**{each.name: getattr(asked, each.name) for each in dataclasses.fields(DeviceConfig)})
    if "multi_worker" in (config.strategy, fitting_strategy(config)):
        raise UserError(
            "Several machines predict each by itself: leave --strategy=multi_worker and TF_CONFIG out, and give each "
            "its --worker=i/n of a sharded output."
        )
    return make_strategy(config)


@contextlib.contextmanager
def unpacked(asked: InferenceFlags) -> Iterator[InferenceFlags]:
    """The command line with the run that --input_model_tgz holds, unpacked, as its --train_dir.

    Raises:
        UserError: if another model is asked for too, or the file is no run.
    """
    tgz = asked.input_model_tgz
    if not tgz:
        yield asked
        return
    if asked.train_dir or asked.input_model:
        raise UserError(f"--input_model_tgz={tgz} holds a model: leave --train_dir and --input_model out.")
    with tempfile.TemporaryDirectory() as folder:
        run = unpack_model(tgz, asked.untar_model_dir or str(Path(folder, "run")))
        if not (run / RUN_MARK).is_file():
            raise UserError(f"{tgz} holds no {RUN_MARK}: write one with `python -m yt8m_audio export RUN model.tgz`.")
        yield dataclasses.replace(asked, train_dir=str(run))


@contextlib.contextmanager
def memory_explained(asked: InferenceFlags) -> Iterator[None]:
    """Says which flags take memory, where there is too little."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        window = f" of --window={asked.window:g}" if asked.window else ""
        raise UserError(f"Memory is too small for --batch_size={asked.batch_size}{window}: give less.") from error


def predict_with(models: Models, asked: InferenceFlags, strategy: tf.distribute.Strategy) -> int:
    """Predicts with some models; returns the exit status."""
    begun, line = time.monotonic(), ProgressLine()
    output, labels = output_format(asked, models), labels_asked(asked, models)
    every_shard = output_shards(asked.output_file, models.num_clips)
    shards = of_worker(every_shard, asked.worker, asked.output_file)
    predict, at_a_time = predict_function(asked, models, labels, isinstance(output, LabelsCsv), strategy)
    batches = max(1, *(-(-len(shard.clips) // asked.batch_size) for shard in every_shard))  # no more than there are
    at_a_time = min(at_a_time, batches * asked.batch_size)
    work = BatchInference(
        predict=predict,
        read=functools.partial(models.batches, batch_size=at_a_time),
        facts=facts_of(asked, models, labels),
        output=output,
        batch_size=at_a_time,
        progress=shown_on(line, sum(len(shard.clips) for shard in shards)),
        say=line.say,
        staging=staging_folder(asked.output_file),
    )
    with errors_explained(asked, models):
        done = work.run(shards)
    for text in models.readings[0].lost_lines(once=True):
        line.say(text)
    seconds, there = duration(time.monotonic() - begun), sum(len(shard.clips) for shard in shards) - done
    if there and not done:
        line.say(f"All {there:,} clips are in {asked.output_file} already.")
    else:
        more = f"; {there:,} were there already" if there else ""
        line.say(f"Predicted {done:,} clips with {models.told} in {seconds}, to {asked.output_file}{more}.")
    return 0


def shown_on(line: ProgressLine, total: int) -> Callable[[int], None]:
    """A function that shows how far it is, of the clips done so far."""
    throughput = Throughput(total)

    def progress(done: int) -> None:
        rate, left = throughput.update(done)
        line.show(f"{done:,} of {total:,} clips  {rate:,.0f} clips/s  {duration(left)} left")

    return progress


def check_output(asked: InferenceFlags) -> None:
    """Raises a UserError before any work is done, if the output cannot be what was asked for."""
    if not asked.output_file:
        raise UserError("--output_file is missing: name the CSV to write, such as predictions.csv.")
    check_place(asked)
    if asked.output == SCORES and asked.threshold:
        raise UserError(f"--output={SCORES} writes all scores: leave --threshold={asked.threshold} out.")
    shards = of_worker(output_shards(asked.output_file, 0), asked.worker, asked.output_file)
    if asked.segment_labels and asked.output != LABELS:
        raise UserError(f"--segment_labels has a format of its own: leave --output={asked.output} out.")
    if asked.segment_labels and shards[0].number is not None:
        raise UserError(f"--segment_labels ranks all segments in one file: name it without @, not {asked.output_file}.")


def check_place(asked: InferenceFlags) -> None:
    """Raises a UserError where there is no folder for the output, or another file system cannot be reached."""
    path, flag = path_of(asked.output_file), f"--output_file={asked.output_file}"
    if isinstance(path, RemotePath):
        if asked.output == AUDACITY and path.suffix != FILE_SUFFIX:
            raise UserError(f"{flag}: a folder of label tracks is written on this machine alone: name a folder here.")
        try:
            path.exists()
        except OSError as error:
            raise UserError(f"{flag} cannot be reached: {error.strerror}.") from error
        return
    if not path.absolute().parent.is_dir():
        raise UserError(f"{flag}: there is no folder {path.absolute().parent}.")
    if path.is_dir():
        new = "a folder that is not there yet" if asked.output == AUDACITY else "a file"
        raise UserError(f"{flag} is a folder: name {new}.")
    if path.name == "-" or (path.exists() and not path.is_file()):  # a device would be replaced by a file
        raise UserError(f"{flag} is no file that can be gone on with: name one, or one that is not there yet.")


def staging_folder(output_file: str) -> Path | None:
    """Where files for another file system are written first: of each folder there, one in the cache."""
    if not is_remote(output_file):
        return None
    digest = hashlib.sha256(str(path_of(output_file).parent).encode()).hexdigest()
    return cache_folder() / "outputs" / digest[:STAGING_LETTERS]


def output_format(asked: InferenceFlags, models: Models) -> Format:
    """The format to write."""
    named = asked.label_names or asked.output in NAMED_ANYWAY
    return format_for(
        SEGMENTS if asked.segment_labels else asked.output,
        asked.output_file,
        num_classes=models.opened[0].num_classes,
        names=display_names(asked, models) if named else None,
        escape_formulas=asked.escape_formulas,
        segment_max_pred=asked.segment_max_pred,
    )


def display_names(asked: InferenceFlags, models: Models) -> tuple[str, ...] | None:
    """The names of the classes; None where they have none and need not.

    Raises:
        UserError: if they have none, and --label_names asks for them.
    """
    num_classes = models.opened[0].num_classes
    labels = label_map_for(asked.label_map or models.opened[0].label_map, num_classes)
    if labels is None and asked.label_names:
        raise UserError(f"--label_names: the run's {num_classes} classes have no names: give --label_map.")
    return labels.names if labels else None


def labels_asked(asked: InferenceFlags, models: Models) -> Sequence[int] | None:
    """The classes to predict; None for all."""
    num_classes = models.opened[0].num_classes
    if asked.segment_label_ids_file:
        return read_segment_label_ids(asked.segment_label_ids_file, num_classes).tolist()
    if not asked.labels:
        return None
    labels = label_map_for(asked.label_map or models.opened[0].label_map, num_classes)
    ids, names = (labels.ids, labels.names) if labels else ((), ())
    return chosen_classes(asked.labels, ids, names, num_classes)


def predict_function(
    asked: InferenceFlags,
    models: Models,
    labels: Sequence[int] | None,
    by_name: bool,
    strategy: tf.distribute.Strategy,
) -> tuple[Callable, int]:
    """Loads the models, and makes the function that predicts a data set with them.

    Args:
        asked: the command line.
        models: not loaded yet.
        labels: classes to predict; None for all.
        by_name: whether segments and windows are told apart by names, as the format has no times.
        strategy: in whose scope they are loaded.

    Returns:
        The function, and how many clips the batches of its data set shall have.
    """
    ensemble = Ensemble(models.members(), asked.ensemble)
    thresholds = thresholds_asked(asked, [each.calibration for each in models.opened])
    top_k = None if asked.output == SCORES else asked.top_k
    how = {"thresholds": thresholds, "chosen": labels, "strategy": strategy, "batch_size": asked.batch_size}
    predictor = Predictor(ensemble, top_k, **how)
    at_a_time = models.clips_at_a_time(asked.batch_size, predictor)
    predict = windowed(predictor, models.windows, asked.batch_size) if models.windows else predictor
    if by_name and (models.windows or models.readings[0].data.segment_labels):
        return lambda dataset: named_segments(predict(dataset)), at_a_time
    return predict, at_a_time


def named_segments(predicted: Iterator[Predicted]) -> Iterator[Predicted]:
    """Puts the names of segments in place of the ids."""
    for each in predicted:
        yield dataclasses.replace(each, video_ids=segment_names(each.video_ids, each.start_times))


def facts_of(asked: InferenceFlags, models: Models, labels: Sequence[int] | None) -> dict[str, Any]:
    """What the predictions depend on, by what there is to call it."""
    settings = {f"--{name}": value for name, value in dataclasses.asdict(asked).items() if name not in ELSEWHERE}
    calibrations = [each.calibration for each in models.opened]
    return {
        "the model": [each.facts for each in models.opened],
        "the clips": records_of(models.readings[0]),
        "the calibration": [each and [each.temperature, each.thresholds] for each in calibrations],
        "TensorFlow": tf.__version__,
        "the devices": [each.device_type for each in tf.config.list_logical_devices()],
        **settings,
        "--labels": labels,
    }


@contextlib.contextmanager
def errors_explained(asked: InferenceFlags, models: Models) -> Iterator[None]:
    """Says what was behind errors of reading, and which flag it is about where a file cannot be written."""
    try:
        with contextlib.ExitStack() as stack:
            for clips in models.readings:
                stack.enter_context(clips.errors_explained())
            yield
    except OSError as error:
        raise UserError(f"--output_file={asked.output_file} cannot be written: {error.strerror}.") from error
