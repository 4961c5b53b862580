"""How fast is a data set evaluated and predicted, records to figures and records to CSV? Against raw records."""

import tempfile
from pathlib import Path

from benchmarks.datasets import opened
from benchmarks.measure import Result, alternately
from benchmarks.raw import small_records
from benchmarks.reading import BATCH_SIZE, repeated
from benchmarks.training import NUM_CLASSES
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.scoring import score, scoring_function
from yt8m_audio.prediction.top_k import predictor
from yt8m_audio.prediction.writers import csv_writer
from yt8m_audio.registry import LOSSES, MODELS
from yt8m_audio.training.loop import build


def results(pattern: str) -> list[Result]:
    """Whole passes over the records, once started."""
    clips = opened(pattern)
    batches = clips.in_order(BATCH_SIZE)
    model = MODELS.get("FrameLevelLogisticModel")(num_classes=NUM_CLASSES, feature_sizes=(128,))
    build(model, batches.element_spec)
    score_batch = scoring_function(model, LOSSES.get("CrossEntropyLoss")())
    predict = predictor(model, top_k=20)

    raw = repeated(small_records(clips.store.shards.paths), len(clips))

    def evaluating():
        scores = score(score_batch, batches, len(clips), NUM_CLASSES)
        evaluate(scores.probabilities, scores.labels, loss=scores.loss)
        return len(clips)

    def predicting():
        with tempfile.TemporaryDirectory() as folder, csv_writer(str(Path(folder) / "p.csv"), names=None) as write:
            return predict(batches, write)

    limit, *rates = alternately(raw, evaluating, predicting, rounds=3)
    names = ("evaluating FrameLevelLogisticModel", "predicting FrameLevelLogisticModel")
    return [Result(name, rate, "clips/s", "raw records", limit) for name, rate in zip(names, rates, strict=True)]
