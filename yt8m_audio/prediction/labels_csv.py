"""The starter code's CSV: `VideoId,LabelConfidencePairs`, then `id,class score class score ...`, best first.

Scores are `%g`. With names there are two more columns: TopLabel (the best class's name) and Labels
(`name score; name score; ...`).
"""

from collections.abc import Sequence

from yt8m_audio.prediction.csv_fields import csv_fields
from yt8m_audio.prediction.kept_classes import KeptClasses, kept_classes
from yt8m_audio.prediction.pair_texts import pair_texts
from yt8m_audio.prediction.predicted import Predicted

HEADER = "VideoId,LabelConfidencePairs"
NAMES_HEADER = "TopLabel,Labels"


class LabelsCsv:
    """Ranked labels as CSV.

    Args:
        names: display names by class index, to add the columns TopLabel and Labels; None adds none.
        escape_formulas: put an apostrophe before ids and names that a spreadsheet would take for a formula.
    """

    def __init__(self, names: Sequence[str] | None = None, escape_formulas: bool = False):
        self.names, self.escape_formulas = names, escape_formulas

    def header(self) -> bytes:
        """The first line."""
        return f"{HEADER}{',' + NAMES_HEADER if self.names else ''}\n".encode()

    def rows(self, predicted: Predicted) -> bytes:
        """A line a clip; a clip of which no class is kept has an empty list."""
        kept = kept_classes(predicted)
        columns = [self._fields(predicted.video_ids.tolist()), pair_texts(kept)]
        if self.names:
            top, listed = self._readable(kept)
            columns += [self._fields(top), self._fields(listed)]
        lines = [*map(b",".join, zip(*columns, strict=True)), b""]
        return b"\n".join(lines)

    def _fields(self, values: list[bytes]) -> list[bytes]:
        return csv_fields(values, self.escape_formulas)

    def _readable(self, kept: KeptClasses) -> tuple[list[bytes], list[bytes]]:
        """The best name of each clip, and all its names with their scores; empty where there is none."""
        names = [self.names[each] for each in kept.classes.tolist()]
        texts = [f"{name} {score:.3f}" for name, score in zip(names, kept.scores.tolist(), strict=True)]
        top = ["".join(of_clip[:1]).encode() for of_clip in kept.by_clip(names)]
        return top, ["; ".join(of_clip).encode() for of_clip in kept.by_clip(texts)]
