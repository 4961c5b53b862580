"""A job as a pipeline.

    Create ─ spread ─► Find ─ spread ─► Work ──► Place ─ by file ─► Write
                        ├─ sizes ─────────────────┘ (side input)
                        └─ failures ──┴──────────────── in one ────► WriteFailures

`spread` is Reshuffle: it lets a runner give what an input holds to other workers than the one that found it.
"""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult
from apache_beam.utils.shared import Shared

from yt8m_audio.beam.job import Counts, Job
from yt8m_audio.beam.options import quiet
from yt8m_audio.beam.transforms import (
    COUNTS,
    FAILURES,
    LOADS,
    ROWS,
    SIZES,
    Find,
    Place,
    Work,
    Write,
    WriteFailures,
)
from yt8m_audio.errors import UserError


def run_job(job: Job, inputs: Sequence[Any], options: PipelineOptions, failures: str) -> Counts:
    """Runs a job to its end.

    Args:
        job: what to do.
        inputs: what it is done to; their order is that of the output.
        options: Beam's.
        failures: path of the CSV of what could not be done; none is written when empty.

    Raises:
        UserError: if a worker raised one.
    """
    with quiet(options):
        try:
            pipeline = pipeline_of(options)
            build(pipeline, job, inputs, failures)
            result = pipeline.run()
            result.wait_until_finish()
        except Exception as error:
            if str(error).startswith(KeyboardInterrupt.__name__):  # a worker in this process was stopped by it
                raise KeyboardInterrupt from None
            raise user_error_in(error) or error from None
        return counts_of(result)


def pipeline_of(options: PipelineOptions) -> beam.Pipeline:
    """An empty pipeline.

    Raises:
        UserError: if there is no such runner, or it lacks a flag.
    """
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:
        raise UserError(f"Beam's flags, behind --: {' '.join(str(error).split())}") from error


def user_error_in(error: Exception) -> UserError | None:
    """The UserError that a worker raised: runners raise it with a note behind it, or errors of theirs that quote it."""
    name = f"{UserError.__module__}.{UserError.__name__}: "
    said = (name if isinstance(error, UserError) else "") + str(error)
    lines = [line.partition(name)[2] for line in said.splitlines() if name in line]
    return UserError(lines[-1].partition(" [while running ")[0]) if lines else None


def build(pipeline: beam.Pipeline, job: Job, inputs: Sequence[Any], failures: str) -> None:
    """Puts the steps of a job into a pipeline."""
    shared = Shared()
    numbered = pipeline | "Inputs" >> beam.Create(list(enumerate(inputs))) | "Spread inputs" >> beam.Reshuffle()
    found = numbered | "Find" >> beam.ParDo(Find(job)).with_outputs(SIZES, FAILURES, main="parts")
    parts = found.parts | "Spread parts" >> beam.Reshuffle()
    done = parts | "Work" >> beam.ParDo(Work(job, shared)).with_outputs(FAILURES, main="pieces")

    placed = done.pieces | "Place" >> beam.ParDo(Place(job), beam.pvalue.AsList(found[SIZES]))
    files = pipeline | "Files" >> beam.Create([(number, None) for number in range(len(job.files))])  # empty ones too
    by_file = (files, placed) | "All files" >> beam.Flatten() | "By file" >> beam.GroupByKey()
    by_file | "Write" >> beam.ParDo(Write(job, shared))
    if failures:
        nothing = pipeline | "No failure" >> beam.Create([(None, None)])  # has the file be there in any case
        failed = (found[FAILURES], done[FAILURES]) | "All failures" >> beam.Flatten()
        keyed = failed | "In one" >> beam.Map(_without_key)
        together = (nothing, keyed) | "With none" >> beam.Flatten() | "Together" >> beam.GroupByKey()
        together | "Write failures" >> beam.ParDo(WriteFailures(failures))


def _without_key(failure: tuple) -> tuple[None, tuple]:
    return None, failure


def counts_of(result: PipelineResult) -> Counts:
    """What the counters of a finished pipeline say."""
    try:
        found = result.metrics().query(MetricsFilter().with_namespace(COUNTS))["counters"]
    except Exception:  # a runner may not have them, and the work is done
        return Counts(None, None, None)
    totals: dict[str, int] = {}
    for each in found:
        totals[each.key.metric.name] = totals.get(each.key.metric.name, 0) + each.result
    return Counts(*(totals.get(name, 0) for name in (ROWS, FAILURES, LOADS)))
