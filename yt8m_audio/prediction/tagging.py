"""What is heard in a sound of any length, and when, from its frames as they come.

    tagger = Tagger(score, clip_frames=10, windows=Windows(2, 1), hop_seconds=1.0)
    tagged = tagger.tag("door.wav", chunks)           # uint8 or float32 [t, D] each
    tagged.scores                                     # float32 [C]: of the whole sound
    tagged.windows                                    # classes and scores of each window, with times
    tagged.over_time, tagged.column_seconds           # float32 [columns, C], thinned, for pictures

The whole sound is cut into clips of as many frames as the model was trained with, one behind the other, and the score
of a class is its mean over these clips, each counted by the frames that it has. What is heard when are the scores of
windows, which are shorter and may overlap.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from yt8m_audio.prediction.best_places import best_places
from yt8m_audio.prediction.label_spans import label_spans
from yt8m_audio.prediction.packed_rows import joined
from yt8m_audio.prediction.predicted import DROPPED, Predicted
from yt8m_audio.prediction.predictor import check_numbers
from yt8m_audio.prediction.window_scores import Score, ScoredWindows, WindowScores
from yt8m_audio.prediction.windows import Windows
from yt8m_audio.thinning import Thinned

COLUMNS = 1024  # of scores over time that are kept for pictures


@dataclasses.dataclass(frozen=True)
class Tagged:
    """What a model says of one sound.

    Attributes:
        scores: float32 [C], of the whole sound.
        windows: the best classes of each window, those below the threshold dropped.
        over_time: float32 [columns, C], the scores of each window, or the highest of some in a row.
        column_seconds: from one column to the next.
        lead_seconds: how much earlier a window begins than the part in its middle that it stands for.
        num_frames: of the sound.
    """

    scores: np.ndarray
    windows: Predicted
    over_time: np.ndarray
    column_seconds: float
    lead_seconds: float
    num_frames: int

    @property
    def peaks(self) -> np.ndarray:
        """The highest score of each class in a window, float32 [C]."""
        return self.over_time.max(axis=0)

    def scores_by(self, rank: str) -> np.ndarray:
        """What classes are ranked by: "mean", their scores of the whole sound, or "peak", the highest of a window."""
        return {"mean": self.scores, "peak": self.peaks}[rank]

    def best(self, top_k: int, threshold: np.ndarray | float = 0.0, rank: str = "mean") -> list[int]:
        """The classes of the sound, best first: at most `top_k`, none below the threshold (or its own, [C])."""
        scores = self.scores_by(rank)
        (places,), _ = best_places(scores[None], min(top_k, len(scores)))
        return places[(scores >= threshold)[places]].tolist()

    def edges(self, seconds: float) -> np.ndarray:
        """When columns begin, and the last one ends, of a sound of so many seconds: float64 [columns + 1].

        A column stands for the middle of its window, as long as the hop; the first and the last one for all before
        and behind it too.
        """
        edges = self.lead_seconds + self.column_seconds * np.arange(len(self.over_time) + 1)
        edges[0], edges[-1] = 0.0, seconds
        return np.minimum(edges, seconds)

    def ended(self, seconds: float) -> "Tagged":
        """The same of a sound of so many seconds, which may end within its last frame."""
        ends = np.minimum(self.windows.end_times, np.float32(seconds))
        return dataclasses.replace(self, windows=dataclasses.replace(self.windows, end_times=ends))

    def spans(self) -> Predicted:
        """The windows' classes with neighbours joined: see yt8m_audio.prediction.label_spans."""
        return label_spans(self.windows, self.lead_seconds)


@dataclasses.dataclass(frozen=True)
class Tagger:
    """Tags sounds with a model.

    Attributes:
        score: gives probabilities [B, C] of frames [B, T, D], padded with 0, and how many there are, int32 [B].
        clip_frames: frames of the clips that the model was trained with.
        windows: what the sound is looked at through over time, in frames.
        hop_seconds: from one frame to the next.
        top_k: classes of a window, at most.
        threshold: score from which a class is kept in a window, one for all or [C].
    """

    score: Score
    clip_frames: int
    windows: Windows
    hop_seconds: float = 1.0
    top_k: int = 5
    threshold: np.ndarray | float = 0.0

    def tag(self, name: str, chunks: Iterable[np.ndarray]) -> Tagged | None:
        """Tags one sound; None where it has no frames.

        Args:
            name: what the windows are given as id.
            chunks: frames, uint8 or float32 [t, D] each, one behind the other.

        Raises:
            UserError: if a score is not finite.
        """
        whole, over_time = MeanScores(), _OverTime(self, name)
        clips = WindowScores(self.score, Windows(self.clip_frames, self.clip_frames)), whole.add
        looked_at = WindowScores(self.score, self.windows), over_time.add
        for chunk in chunks:
            for scorer, take in (clips, looked_at):
                for windows in scorer.after(chunk):
                    take(windows)
        for scorer, take in (clips, looked_at):
            for windows in scorer.at_the_end():
                take(windows)
        return over_time.tagged(whole) if whole.num_frames else None

    def predicted(self, name: str, windows: ScoredWindows) -> Predicted:
        """The best classes of some windows, with times in seconds."""
        places, scores = best_places(windows.scores, min(self.top_k, windows.scores.shape[1]))  # [w, k]
        least = np.asarray(self.threshold, np.float32)
        ids = np.full(len(places), name.encode(errors="surrogateescape"), object)
        begins, ends = windows.begins * self.hop_seconds, (windows.begins + windows.num_frames) * self.hop_seconds
        check_numbers(scores, ids)
        kept = scores >= (least[places] if least.ndim else least)
        classes = np.where(kept, places, DROPPED).astype(np.int32)
        return Predicted(ids, begins.astype(np.float32), ends.astype(np.float32), classes, scores)


class MeanScores:
    """The mean of scores [C] over windows, each counted by its frames."""

    def __init__(self):
        self.sums, self.num_frames = np.zeros(1), 0

    def add(self, windows: ScoredWindows) -> None:
        """Takes some windows."""
        self.sums = self.sums + windows.num_frames @ windows.scores.astype(np.float64)  # [C]
        self.num_frames += int(windows.num_frames.sum())

    def mean(self) -> np.ndarray:
        """float32 [C]."""
        return (self.sums / self.num_frames).astype(np.float32)


class _OverTime:
    """What is kept of the windows of one sound."""

    def __init__(self, tagger: Tagger, name: str):
        self.tagger, self.name, self.pieces, self.thinned = tagger, name, [], Thinned(COLUMNS, np.max)

    def add(self, windows: ScoredWindows) -> None:
        self.pieces.append(self.tagger.predicted(self.name, windows))
        self.thinned.add(windows.scores)

    def tagged(self, whole: MeanScores) -> Tagged:
        windows, frame = self.tagger.windows, self.tagger.hop_seconds
        return Tagged(
            scores=whole.mean(),
            windows=joined(self.pieces),
            over_time=self.thinned.rows(),
            column_seconds=self.thinned.step * windows.hop * frame,
            lead_seconds=max(0, windows.size - windows.hop) / 2 * frame,
            num_frames=whole.num_frames,
        )
