"""python -m yt8m_audio extract SOUNDS OUT: writes records of the embeddings of sounds."""

import dataclasses
import functools
import os
import sys
import time

from yt8m_audio.audio.extraction import Extracted, extract
from yt8m_audio.audio.sound_errors import of_the_audio_extra
from yt8m_audio.audio.sound_frames import Extraction, Sound
from yt8m_audio.audio.sound_list import Listed, listed
from yt8m_audio.audio.sound_work import Opening
from yt8m_audio.audio.sources import NAMES
from yt8m_audio.audio.waveform import DECODERS
from yt8m_audio.clip_rows import ClipRow
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.own_classes import LABEL_MAP, Classes
from yt8m_audio.own_records import check_feature_name, fitting_shards
from yt8m_audio.progress_line import ProgressLine, duration
from yt8m_audio.written_records import WrittenRecords, counted

ABOUT = "Writes records of the embeddings of sounds, to train on or to predict."
OPENING = ("hop_seconds", "weights", "pca", "postprocess", "final_relu", "mixed_precision", "window_seconds")


@dataclasses.dataclass(frozen=True)
class ExtractFlags:
    """What is extracted, of what.

    Attributes:
        sounds: Files, folders or globs, in quotes, with commas between; a CSV with the columns file and labels, and
            video_id, start and end (in seconds) if you like; or with --clips a CSV of ids, such as AudioSet's segments.
        out: Folder for the shards, their label map and manifest.csv, new or empty. An interrupted command, typed again,
            goes on.
        embedding: vggish; log_mel_statistics, which needs no weights and tells less; the path of a SavedModel's folder
            or of a .tflite file, such as YAMNet's; or arrays by id, an .npz file or a folder of ID.npy.
        hop_seconds: Seconds from one frame to the next. The embedding's own when not given.
        weights: Folder with VGGish's weights. The cache folder's when empty.
        pca: .npz file of a PCA that makes bytes of a model's floats, or of VGGish's in place of its own.
        postprocess: Make bytes of VGGish's embeddings, as AudioSet's are. They stay float32 otherwise.
        final_relu: Have VGGish end with a ReLU, as ports and old versions do.
        mixed_precision: Have VGGish compute in bfloat16, faster where the processor has it.
        window_seconds: Seconds of sound a frame, of a model that takes any length.
        embedding_output: Name of the model's output to take, where it has several.
        labels: CSV with labels of the files: the columns file or video_id, and labels.
        label_map: CSV of your classes with the columns index and display_name, and mid if you like. AudioSet's 527
            classes when empty.
        make_label_map: Make the label map of the labels found, sorted, and write it to OUT/class_labels_indices.csv.
        clips: Folder with the clips that a CSV names by id: ID_START_END, ID or YID with any ending.
        split_seconds: Cut sounds into clips of so many seconds, each a record ID_MILLISECONDS. 0 keeps them whole.
        shards: Shards to write. One for about 2,000 sounds, 16 at most, when not given.
        workers: Processes that read sound. All cores when not given.
        decoder: auto (soundfile, and ffmpeg for what it does not know), soundfile, ffmpeg or tfio.
        retry_failed: Extract those shards again in which a sound had failed.
        feature_name: Name of the feature in the records.
    """

    sounds: str = dataclasses.field(metadata=POSITIONAL)
    out: str = dataclasses.field(metadata=POSITIONAL)
    embedding: str = ""
    hop_seconds: float | None = None
    weights: str = ""
    pca: str = ""
    postprocess: bool = True
    final_relu: bool = False
    mixed_precision: bool = False
    window_seconds: float | None = None
    embedding_output: str = ""
    labels: str = ""
    label_map: str = ""
    make_label_map: bool = False
    clips: str = ""
    split_seconds: float = 0.0
    shards: int | None = None
    workers: int | None = None
    decoder: str = "auto"
    retry_failed: bool = False
    feature_name: str = "audio_embedding"


def main(argv) -> int:
    """Writes the records, says what failed, and what to type next; 1 where a sound failed."""
    asked = parse(argv, ABOUT, ExtractFlags)
    check(asked)
    sounds = listed(asked.sounds, clips=asked.clips, labels=asked.labels, has_arrays=is_arrays(asked.embedding))
    rows = [each.row for each in sounds]
    classes = Classes.found(rows) if asked.make_label_map else Classes.read(asked.label_map)
    done = extracted(asked, [labelled_sound(each, classes) for each in sounds], classes)
    for text in warnings_of(done, classes, rows):
        print(f"warning: {text}", file=sys.stderr)
    print("\n".join(told(done, len(sounds), len(classes.names), asked.feature_name)))
    return 1 if done.failed else 0


def extracted(asked: ExtractFlags, sounds: list[Sound], classes: Classes) -> Extracted:
    """Extracts sounds as a command line asks for, and shows how far it is."""
    line, begun = ProgressLine(), time.monotonic()
    try:
        return extract(
            sounds,
            opening_of(asked),
            asked.out,
            Extraction(asked.split_seconds, asked.decoder, asked.feature_name),
            shards=fitting_shards(asked.shards, len(sounds)),
            workers=asked.workers or cores(),
            retry_failed=asked.retry_failed,
            fill=lambda folder: classes.save(folder / LABEL_MAP),
            progress=functools.partial(show, line, len(sounds), begun),
        )
    except KeyboardInterrupt:
        line.say("What is done is kept: type the same command again to go on.")
        raise
    finally:
        line.clear()


def check(asked: ExtractFlags) -> None:
    """Raises a UserError about flags that are wrong, before anything is read."""
    check_feature_name(asked.feature_name)
    if not asked.embedding:
        raise UserError(
            f"--embedding is missing: {' or '.join(NAMES)}, the path of a model (a SavedModel's folder, a .tflite "
            "file) or of arrays."
        )
    if asked.make_label_map and asked.label_map:
        raise UserError("--make_label_map makes a label map, --label_map names one: give one of them.")
    if asked.decoder not in DECODERS:
        near = nearest(asked.decoder, DECODERS)
        raise UserError(f"--decoder={asked.decoder} is none of {', '.join(DECODERS)}.{near}")
    if asked.decoder in ("auto", "soundfile") and not is_arrays(asked.embedding):
        check_packages()


def check_packages() -> None:
    """Raises a UserError where what reads sound is not installed: better said once than of every file."""
    with of_the_audio_extra("soundfile"):
        import soundfile  # noqa: F401
    with of_the_audio_extra("soxr"):
        import soxr  # noqa: F401


def is_arrays(embedding: str) -> bool:
    """Whether an embedding is arrays that are there."""
    if embedding in NAMES:
        return False
    is_model = os.path.exists(os.path.join(embedding, "saved_model.pb"))
    return embedding.endswith(".npz") or (os.path.isdir(embedding) and not is_model)


def opening_of(asked: ExtractFlags) -> Opening:
    """What to open the embedding with."""
    settings = {name: getattr(asked, name) for name in OPENING}
    return Opening(asked.embedding, {**settings, "output": asked.embedding_output})


def labelled_sound(each: Listed, classes: Classes) -> Sound:
    """A sound with its class indices."""
    return dataclasses.replace(each.sound, labels=tuple(classes.indices(each.row)))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def show(line: ProgressLine, total: int, begun: float, done: int, seconds: float) -> None:
    """Shows how far it is; `done` and `seconds` are of this run alone."""
    passed = max(time.monotonic() - begun, 1e-3)
    line.show(f"{done:,} of {total:,} sounds, {seconds / passed:,.0f} times real time")


def warnings_of(done: Extracted, classes: Classes, rows: list[ClipRow]) -> list[str]:
    """What may not be as it was meant, a line each."""
    failed = [f"{count:,} {reason}" for reason, count in done.reasons.items()]
    odd = [f"{count:,} {what}" for what, count in done.odd.items()]
    manifest = os.path.join(done.folder, "manifest.csv")
    lines = []
    if failed:
        lines.append(f"failed: {counted(done.failed, 'sound', 'sounds')} ({', '.join(failed)}); see {manifest}.")
    if odd:
        lines.append(f"odd: {', '.join(odd)}; see {manifest}.")
    return [*lines, *classes.warnings(rows)]


def told(done: Extracted, total: int, num_classes: int, feature_name: str) -> list[str]:
    """What was done, and what to type next."""
    if done.before:
        kind = "all" if done.before == total else f"{done.before:,}"
        before = [f"Of {total:,} sounds {kind} had been done before."]
    else:
        before = []
    if not done.counts.clips:
        return [*before, f"Wrote no record to {done.folder}: every one of the {total:,} sounds failed."]
    written = WrittenRecords(done.folder, feature_name, done.labelled, done.shards, num_classes, done.counts)
    return [*before, f"Read {duration(done.seconds)} of sound.", *written.lines()]
