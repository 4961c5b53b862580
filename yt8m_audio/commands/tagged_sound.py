"""A sound that was tagged, and the files and lines that are written of it."""

import dataclasses
import json
from pathlib import Path

from yt8m_audio.audio.spectrogram import Spectrogram
from yt8m_audio.audio.spectrogram_picture import LabelsOverTime, draw_picture
from yt8m_audio.commands.tagging_models import TaggingModel
from yt8m_audio.prediction.audacity import AudacityTracks
from yt8m_audio.prediction.predicted import DROPPED
from yt8m_audio.prediction.tagging import Tagged
from yt8m_audio.prediction.timeline_csv import TimelineCsv
from yt8m_audio.run_directory import written_beside

DIGITS = 4  # of a score in JSON


@dataclasses.dataclass(frozen=True)
class TaggedSound:
    """A sound and its tags.

    Attributes:
        file: as the command line names it.
        seconds: how long it is.
        tagged: what the model says.
        best: the classes to show, best first.
        rank: what they are ranked by, mean or peak.
        model: for the names of classes.
        warnings: what is odd about the sound.
        spectrogram: where a picture is wanted.
    """

    file: str
    seconds: float
    tagged: Tagged
    best: list[int]
    rank: str
    model: TaggingModel
    warnings: list[str]
    spectrogram: Spectrogram | None = None

    def label(self, number: int, score: float, peak: float | None = None) -> dict:
        """A class as JSON has it."""
        found = {"class": number, "score": round(float(score), DIGITS)}
        found |= {} if peak is None else {"peak": round(float(peak), DIGITS)}
        if self.model.labels is None:
            return found
        mid = {"id": self.model.labels.ids[number]} if self.model.labels.ids else {}
        return {**found, "name": self.model.labels.names[number], **mid}

    def as_json(self) -> dict:
        """The labels of the whole sound and of each window."""
        windows, peaks = self.tagged.windows, self.tagged.peaks
        columns = (windows.start_times.tolist(), windows.end_times.tolist(), windows.classes, windows.scores)
        return {
            "file": self.file,
            "seconds": round(self.seconds, 3),
            "labels": [self.label(each, self.tagged.scores[each], peaks[each]) for each in self.best],
            "windows": [
                {
                    "start": round(start, 3),
                    "end": round(end, 3),
                    "labels": [self.label(int(c), s) for c, s in zip(classes, scores, strict=True) if c != DROPPED],
                }
                for start, end, classes, scores in zip(*columns, strict=True)
            ],
            "warnings": self.warnings,
        }

    def audacity(self) -> bytes:
        """A label track."""
        names = self.model.labels.names if self.model.labels else None
        return b"".join(AudacityTracks(names).lines(self.tagged.spans()))

    def timeline(self) -> bytes:
        """A CSV with a row a window and class."""
        timeline = TimelineCsv(self.model.labels.names if self.model.labels else None)
        return timeline.header() + timeline.rows(self.tagged.windows)

    def write(self, folder: Path, stem: str) -> None:
        """Writes STEM.json, STEM.txt for Audacity and STEM.csv, each whole or not at all."""
        content = json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n"
        for suffix, text in ((".json", content.encode()), (".txt", self.audacity()), (".csv", self.timeline())):
            with written_beside(folder / f"{stem}{suffix}") as partial:
                partial.write_bytes(text)

    def draw(self, path: Path) -> None:
        """Writes the picture."""
        labels = LabelsOverTime(
            names=[self.model.name_of(each) for each in self.best],
            scores=self.tagged.over_time[:, self.best].T,
            edges=self.tagged.edges(self.seconds),
            whole=self.tagged.scores_by(self.rank)[self.best],
        )
        with written_beside(path) as partial:
            draw_picture(partial, self.file, self.spectrogram, labels)
