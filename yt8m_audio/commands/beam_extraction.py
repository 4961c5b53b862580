"""What `python -m yt8m_audio beam extract` does: `extract`'s records, made by a pipeline."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from yt8m_audio.audio.extraction import facts_of, summary
from yt8m_audio.audio.extraction_folder import FACTS
from yt8m_audio.audio.sound_frames import Extraction
from yt8m_audio.audio.sound_list import listed
from yt8m_audio.beam.job import Counts
from yt8m_audio.commands.beam_inference import FAILURES, refuse
from yt8m_audio.commands.extract import ExtractFlags, check, is_arrays, labelled_sound, opening_of, told, warnings_of
from yt8m_audio.commands.extraction_job import ExtractionJob
from yt8m_audio.errors import UserError
from yt8m_audio.feature_source import write_feature_source
from yt8m_audio.own_classes import LABEL_MAP, Classes
from yt8m_audio.own_records import fitting_shards
from yt8m_audio.paths import is_remote
from yt8m_audio.run_directory import write_json

NOT_OFFERED = {
    "workers": "Beam's own flags say how many workers there are",
    "retry_failed": "a pipeline extracts everything: give another folder, or use extract",
}


def extract(asked: ExtractFlags, failures: str, beams: Sequence[str]) -> int:
    """Extracts what the command line asks for; returns the exit status, 1 where a sound failed.

    Args:
        asked: the command line.
        failures: path of the CSV of sounds that failed, or "".
        beams: Beam's own flags.

    Raises:
        UserError: if that cannot be done.
    """
    from yt8m_audio.beam.options import parse_options
    from yt8m_audio.beam.pipeline import run_job
    from yt8m_audio.beam.whole_files import check_folder

    options = parse_options(beams)
    refuse(asked, NOT_OFFERED)
    check(asked)
    if failures:
        check_folder(failures, FAILURES)
    folder = begun(asked.out)
    sounds = listed(asked.sounds, clips=asked.clips, labels=asked.labels, has_arrays=is_arrays(asked.embedding))
    rows = [each.row for each in sounds]
    classes = Classes.found(rows) if asked.make_label_map else Classes.read(asked.label_map)
    labelled = [labelled_sound(each, classes) for each in sounds]
    settings = Extraction(asked.split_seconds, asked.decoder, asked.feature_name)
    job = ExtractionJob(folder, fitting_shards(asked.shards, len(sounds)), opening_of(asked), settings)
    source, since = job.opening.opened(), time.monotonic()  # which says what is wrong with it before a pipeline begins
    counts = run_job(job, labelled, options, failures)
    write_notes(folder, facts_of(labelled, source.described(), settings, job.shards), source, classes)
    if is_remote(asked.out):
        print("\n".join(counted(asked.out, counts, time.monotonic() - since)))
        return 1 if counts.failures else 0
    os.rename(folder, asked.out)
    done = summary(asked.out, labelled, job.shards, source, settings, before=0)
    for text in warnings_of(done, classes, rows):
        print(f"warning: {text}", file=sys.stderr)
    print("\n".join(told(done, len(sounds), len(classes.names), asked.feature_name)))
    return 1 if done.failed else 0


def begun(out: str) -> str:
    """The folder that is filled: of this machine a hidden one, which gets its name at the end; remotely itself.

    Raises:
        UserError: if something is there.
    """
    if is_remote(out):
        return out.rstrip("/")
    path = Path(out)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{out} is there already and is no empty folder: give another one.")
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.resolve().with_name(f".{path.resolve().name}.beam")
    shutil.rmtree(folder, ignore_errors=True)  # of a pipeline that was stopped
    folder.mkdir()
    return str(folder)


def write_notes(folder: str, facts: dict, source, classes: Classes) -> None:
    """Writes what lies beside the shards: the label map, and what they were made with."""
    from yt8m_audio.beam.whole_files import put_whole

    with tempfile.TemporaryDirectory() as made:
        write_json(Path(made, FACTS), facts)
        write_feature_source(made, source.described())
        classes.save(Path(made, LABEL_MAP))
        for path in sorted(Path(made).iterdir()):
            put_whole(path, f"{folder}/{path.name}")


def counted(out: str, counts: Counts, seconds: float) -> list[str]:
    """What there is to say of a folder that is elsewhere."""
    if counts.rows is None:
        return [f"Wrote the records to {out}. The runner tells no counts: see its manifest."]
    return [f"Wrote the records to {out} in {seconds:,.0f} s; {counts.failures:,} sounds failed: see its manifest."]
