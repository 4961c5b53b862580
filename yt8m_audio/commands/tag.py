"""python -m yt8m_audio tag FILE... --train_dir=RUN: says what is heard in sound files, and when.

The sound is embedded as the run's records were, block by block, so that hours of it need no more memory than minutes.
The labels of a file are the mean over clips as long as those that the model was trained with; when they are heard is
told by shorter windows. A file that cannot be read is reported, and the others go on.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Iterable, Iterator

import numpy as np

from yt8m_audio.audio.embedding_source import EmbeddingSource, embedded
from yt8m_audio.audio.spectrogram import Spectrogram
from yt8m_audio.audio.spectrogram_picture import clock
from yt8m_audio.audio.waveform import Oddities, SoundError, SoundFault, sound_blocks
from yt8m_audio.commands.calibrated import check_calibration, thresholds_asked
from yt8m_audio.commands.tag_outputs import Outputs
from yt8m_audio.commands.tagged_sound import TaggedSound
from yt8m_audio.commands.tagging_models import TaggingModel, open_tagging_model
from yt8m_audio.commands.tagging_source import open_tagging_source
from yt8m_audio.errors import UserError
from yt8m_audio.flags import SEVERAL, parse
from yt8m_audio.prediction.tagging import Tagger
from yt8m_audio.prediction.windows import Windows
from yt8m_audio.progress_line import ProgressLine

ABOUT = "Says what is heard in sound files, and when."
LEAST_OVER_TIME = 0.3  # score from which a window has a label, where --threshold does not say
STREAM, NAME_OF_STREAM = "-", "standard input"


@dataclasses.dataclass(frozen=True)
class TagFlags:
    """What tags, and what is written.

    Attributes:
        file: Sound files; - for a WAV on standard input.
        train_dir: Run directory that train.py left; several, with commas between, tag as one.
        input_model: Exported model to tag with: a SavedModel's folder or a .keras file; or several, as above.
        checkpoint: Which checkpoint: best (by validation; the last one where there was none), last, or a step.
        embedding: What makes features of sound: vggish, log_mel_statistics, or the path of a model. The run's own when
            empty; vggish where the run does not say.
        hop_seconds: Seconds from one frame of the embedding to the next. The run's own when not given; 1 where the run
            does not say.
        weights: Folder of VGGish's weights. Where `vggish-weights` puts them when empty.
        window_seconds: Seconds of sound that a frame is of, of a model that takes any length. The run's own when not
            given.
        embedding_output: Name of that model's output to take. The run's own when empty.
        pca: .npz file of the PCA that makes bytes of that model's floats.
        decoder: What decodes sound files: auto, soundfile, ffmpeg or tfio.
        top_k: Labels to show, best first, at most.
        rank: Which labels are best: those with the highest mean over the file (mean), or with the highest score in any
            window (peak), as for a sound that is heard once in an hour.
        threshold: Show only labels with at least this score, or, if calibrated, with at least their own threshold in
            the run's calibration.json. When empty, all top_k for the file, and 0.3 for a window.
        calibration: Whether scores are at the temperature of the run's calibration.json: auto (where it is there) or
            none.
        label_map: CSV with the columns index and display_name, for names. The run's own when empty.
        window: Seconds of the windows that tell when a label is heard.
        hop: Seconds from the beginning of one window to that of the next.
        json: Print a JSON object a file rather than tables.
        audacity: Print Audacity's label track of one file rather than tables.
        picture: PNG to draw of one file, or folder for a picture of each: spectrogram above, labels over time below.
        output_dir: Folder to write NAME.json, NAME.txt (Audacity) and NAME.csv (windows) of each file to.
    """

    file: tuple[str, ...] = dataclasses.field(metadata=SEVERAL)
    train_dir: str = ""
    input_model: str = ""
    checkpoint: str = "best"
    embedding: str = ""
    hop_seconds: float | None = None
    weights: str = ""
    window_seconds: float | None = None
    embedding_output: str = ""
    pca: str = ""
    decoder: str = "auto"
    top_k: int = 5
    rank: str = "mean"
    threshold: str = ""
    calibration: str = "auto"
    label_map: str = ""
    window: float = 3.0
    hop: float = 1.0
    json: bool = False
    audacity: bool = False
    picture: str = ""
    output_dir: str = ""


def main(argv) -> int:
    """Tags the files; 1 where one could not be."""
    asked = parse(argv, ABOUT, TagFlags)
    files = asked.file
    outputs = Outputs.checked(asked, [NAME_OF_STREAM if file == STREAM else file for file in files])
    with contextlib.redirect_stdout(sys.stderr):  # what is said of the model is no part of what is asked for
        tagging = open_tagging(asked)
    if not (asked.json or asked.audacity):
        print(f"{tagging.told}\n")
    line, failed = ProgressLine(sys.stderr), 0
    for number, file in enumerate(files):
        try:
            sound = tagging.tag(file, line)
        except SoundError as error:
            failed += 1
            line.clear()
            outputs.fail(file, error)
        else:
            line.clear()
            outputs.give(sound, number)
    if failed and len(files) > 1:
        print(f"{failed} of {len(files)} files could not be tagged.", file=sys.stderr)
    return 1 if failed else 0


@dataclasses.dataclass(frozen=True)
class Tagging:
    """What all files are tagged with.

    Attributes:
        asked: the command line.
        model: gives scores.
        source: gives frames.
        tagger: puts the two together.
        threshold: score from which a file has a label, one for all or [C].
    """

    asked: TagFlags
    model: TaggingModel
    source: EmbeddingSource
    tagger: Tagger
    threshold: np.ndarray | float

    @property
    def told(self) -> str:
        """What tags, in a line."""
        window, hop = (each * self.tagger.hop_seconds for each in dataclasses.astuple(self.tagger.windows))
        over_time = f"over time, each {window:g} s by itself, every {hop:g} s"
        return f"{self.model.told}, on {self.source.described().name}; {over_time}"

    def tag(self, file: str, line: ProgressLine) -> TaggedSound:
        """Tags one file.

        Raises:
            SoundError: if it cannot be read, or is too short for a frame.
        """
        rate, name = self.source.sample_rate, NAME_OF_STREAM if file == STREAM else file
        heard, warnings = Heard(name, rate, line), []
        spectrogram = Spectrogram(rate) if self.asked.picture else None
        blocks = heard.passing(sound_blocks(file, rate, decoder=self.asked.decoder, warn=warnings.append))
        blocks = spectrogram.seeing(blocks) if spectrogram else blocks
        tagged = self.tagger.tag(name, embedded(self.source, blocks))
        if tagged is None:
            raise SoundError(SoundFault.TOO_SHORT, f"{name} is too short: its {heard.seconds:.3f} s give no frame.")
        warnings += [f"{name}: {each}" for each in heard.oddities.found()]
        tagged, rank = tagged.ended(heard.seconds), self.asked.rank
        best = tagged.best(self.asked.top_k, self.threshold, rank)
        return TaggedSound(name, heard.seconds, tagged, best, rank, self.model, warnings, spectrogram)


class Heard:
    """What passes of one sound: how much, and what is odd about it.

    Args:
        name: of the sound.
        sample_rate: in Hz.
        line: shows how far it is.
    """

    def __init__(self, name: str, sample_rate: int, line: ProgressLine):
        self.name, self.sample_rate, self.line = name, sample_rate, line
        self.num_samples, self.oddities = 0, Oddities()

    @property
    def seconds(self) -> float:
        """How long it is, as far as it passed."""
        return self.num_samples / self.sample_rate

    def passing(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Lets blocks pass, float32 [n] each."""
        for block in blocks:
            self.num_samples += len(block)
            self.oddities.update(block)
            yield block
            self.line.show(f"{self.name}  {clock(self.seconds)}")


def open_tagging(asked: TagFlags) -> Tagging:
    """Opens the model and the embedding.

    Raises:
        UserError: if one cannot be opened, they do not fit together, or a flag is out of its range.
    """
    check_calibration(asked)
    model = open_tagging_model(asked)
    source = open_tagging_source(asked, model)
    frame = source.hop_samples / source.sample_rate
    windows = windows_of(asked, frame)
    if model.most_frames and windows.size > model.most_frames:
        raise UserError(
            f"--window={asked.window:g} is {windows.size} frames, and {model.told} takes {model.most_frames} at most: "
            f"give at most {model.most_frames * frame:g}."
        )
    threshold = thresholds_asked(asked, list(model.calibrations))
    over_time = LEAST_OVER_TIME if threshold is None else threshold
    tagger = Tagger(model.score, model.clip_frames, windows, frame, asked.top_k, over_time)
    return Tagging(asked, model, source, tagger, 0.0 if threshold is None else threshold)


def windows_of(asked: TagFlags, frame: float) -> Windows:
    """The windows that are asked for, in frames of so many seconds.

    Raises:
        UserError: if one is no length.
    """
    for name, seconds in (("window", asked.window), ("hop", asked.hop)):
        if not frame <= seconds < float("inf"):
            raise UserError(f"--{name}={seconds:g} must be {frame:g} at least: a frame is {frame:g} seconds.")
    return Windows(round(asked.window / frame), round(asked.hop / frame))
