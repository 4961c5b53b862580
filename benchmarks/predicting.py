"""How fast is a data set predicted, records to CSV, and evaluated? Against reading, multiplying and plain formatting.

`python -m benchmarks predicting` measures FrameLevelLogisticModel end to end on records in a few shards, as often as
takes seconds, because files are brought to the disk; LstmModel on one batch; and the formatting of rows alone.
`python -m benchmarks.predicting PATTERN` predicts all records of a glob once, and prints the memory that it took.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import models  # noqa: F401  registers the models
from benchmarks.datasets import opened
from benchmarks.measure import Result, alternately
from benchmarks.memory import largest
from benchmarks.models import PRODUCT_SIZE, made_batch, on_accelerator, policies
from benchmarks.raw import small_records
from benchmarks.reading import BATCH_SIZE, read, repeated
from benchmarks.training import matrix_products
from benchmarks.training_step import NUM_CLASSES, NUM_FRAMES, SIZE
from readers import Clips
from yt8m_audio.batch import LABEL_KEYS, model_inputs
from yt8m_audio.commands.inference_models import part_of
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.accumulation import MIB
from yt8m_audio.evaluation.scoring import score, scoring_function
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.prediction.batch_inference import BatchInference
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.output_shards import output_shards
from yt8m_audio.prediction.predicted import Predicted
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.registry import LOSSES, MODELS
from yt8m_audio.training.loop import build

MODEL, TOP_K, TIMES = "FrameLevelLogisticModel", 20, 24
ROUNDS, FORMATTED_BATCHES = 5, 16


def results(pattern: str) -> list[Result]:
    """Whole passes over the records, once started; and parts of them."""
    return [*of_records(pattern), of_formatting(), *map(of_lstm, policies())]


def of_records(pattern: str) -> list[Result]:
    """Evaluating the records, and predicting as many times as many."""
    clips = opened(pattern)
    model = made_model(clips)
    batches = clips.in_order(BATCH_SIZE)
    score_batch = scoring_function(model, LOSSES.get("CrossEntropyLoss")())

    def evaluating() -> int:
        scores = score(score_batch, batches, len(clips), NUM_CLASSES)
        evaluate(scores.probabilities, scores.labels, loss=scores.loss)
        return len(clips)

    with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as folder:
        many = several_times(clips, Path(folder))
        works = (
            repeated(small_records(clips.store.shards.paths), len(clips)),
            lambda: read(many.in_order(BATCH_SIZE), len(many)),
            evaluating,
            predicting(model, many, Path(folder)),
        )
        raw, reading, evaluated, predicted = alternately(*works, rounds=ROUNDS)
    return [
        Result(f"evaluating {MODEL}", evaluated, "clips/s", "raw records", raw),
        Result(f"predicting {MODEL}, to CSV", predicted, "clips/s", "reading alone", reading),
    ]


def made_model(clips: Clips):
    """The model that is measured, untrained."""
    model = MODELS.get(MODEL)(num_classes=NUM_CLASSES, feature_sizes=(128,))
    build(model, clips.in_order(BATCH_SIZE).element_spec)
    return model


def several_times(clips: Clips, folder: Path) -> Clips:
    """The clips several times over, by links to their shards."""
    for number in range(TIMES):
        for shard, path in enumerate(clips.store.shards.paths):
            (folder / f"{number}-{shard:05d}.tfrecord").symlink_to(path)
    return opened(f"{folder}/*.tfrecord")


def predicting(model, clips: Clips, folder: Path) -> Callable[[], int]:
    """A function that predicts all clips, and writes them as inference.py does."""
    batch_size = InferenceFlags.batch_size
    predict = Predictor(model, TOP_K, batch_size=batch_size)
    at_a_time = predict.clips_at_a_time([clips.in_order(batch_size, LABEL_KEYS).element_spec])
    work = BatchInference(
        predict=predict,
        read=lambda numbers: part_of(clips, numbers).in_order(at_a_time, LABEL_KEYS),
        facts={},
        output=LabelsCsv(),
        batch_size=at_a_time,
    )
    return lambda: work.run(output_shards(str(folder / "predictions.csv"), len(clips)))


def of_lstm(policy: str) -> Result:
    """LstmModel's inference on one batch, against what the machine's matrix product of the same dtype would allow."""
    from yt8m_audio.commands.model_cost import cost

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    model, dtype = MODELS.get("LstmModel")(num_classes=NUM_CLASSES, feature_sizes=(SIZE,)), policy.split("_")[-1]
    inputs = tf.nest.map_structure(tf.constant, model_inputs(made_batch(model.level)))
    classify = tf.function(lambda: tf.reduce_sum(model(inputs, training=False)))
    flops = cost(type(model), NUM_FRAMES, (SIZE,), NUM_CLASSES).flops
    multiply = matrix_products(dtype, PRODUCT_SIZE[on_accelerator()])

    def infer() -> int:
        return len(inputs["num_frames"]) * bool(np.isfinite(classify().numpy()))

    products, rate = alternately(multiply, infer, rounds=ROUNDS)
    keras.config.set_dtype_policy(before)
    return Result(f"LstmModel on one batch, {policy}", rate, "clips/s", "matrix product", products / flops)


def of_formatting() -> Result:
    """Rows of the CSV alone, a batch at a time, against a format string a row."""
    random = np.random.default_rng(0)
    scores = np.sort(1 / (1 + np.exp(4 - 2 * random.standard_normal((BATCH_SIZE, TOP_K)))))[:, ::-1]
    classes = random.integers(0, NUM_CLASSES, scores.shape).astype(np.int32)
    ids, times = np.arange(BATCH_SIZE).astype("S11").astype(object), np.zeros(BATCH_SIZE, np.float32)
    predicted, output = Predicted(ids, times, times, classes, scores.astype(np.float32)), LabelsCsv()
    text = b"%b," + b" ".join([b"%d %g"] * TOP_K) + b"\n"
    pairs = np.stack([classes, predicted.scores], axis=2).reshape(BATCH_SIZE, -1)

    def formatting() -> int:
        for _ in range(FORMATTED_BATCHES):
            output.rows(predicted)
        return FORMATTED_BATCHES * BATCH_SIZE

    def plainly() -> int:
        for _ in range(FORMATTED_BATCHES):
            b"".join([text % (name, *row) for name, row in zip(ids, pairs.tolist(), strict=True)])
        return FORMATTED_BATCHES * BATCH_SIZE

    limit, rate = alternately(plainly, formatting)
    return Result("formatting rows of 20 labels", rate, "rows/s", "a format string a row", limit)


def main(pattern: str) -> None:
    """Predicts all records of a glob once; prints how fast that was, and memory above the imports."""
    imported = largest()
    clips = opened(pattern)
    with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as folder:
        predict = predicting(made_model(clips), clips, Path(folder))
        begun = time.perf_counter()
        predict()
        print(f"{len(clips):,} clips, {len(clips) / (time.perf_counter() - begun):,.0f} clips/s")
    print(f"{(largest() - imported) / MIB:.0f} MiB above the imports")


if __name__ == "__main__":
    main(*sys.argv[1:])
