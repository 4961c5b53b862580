"""A timeline: `video_id,start,end,class,name,score`, a row for each class of each clip, segment or window.

Times are seconds with three decimals. A clip of which no class is kept has no row, so that this is for use with a
threshold.
"""

from collections.abc import Sequence

from yt8m_audio.prediction.csv_fields import csv_fields
from yt8m_audio.prediction.kept_classes import kept_classes
from yt8m_audio.prediction.predicted import Predicted

HEADER = b"video_id,start,end,class,name,score\n"


class TimelineCsv:
    """What is heard when, as CSV.

    Args:
        names: display names by class index; without them the column is empty.
        escape_formulas: put an apostrophe before ids and names that a spreadsheet would take for a formula.
    """

    def __init__(self, names: Sequence[str] | None = None, escape_formulas: bool = False):
        self.names = csv_fields([name.encode() for name in names], escape_formulas) if names else None
        self.escape_formulas = escape_formulas

    def header(self) -> bytes:
        """The first line."""
        return HEADER

    def rows(self, predicted: Predicted) -> bytes:
        """A line for each class that is kept, best first within a clip."""
        kept = kept_classes(predicted)
        ids = csv_fields(predicted.video_ids.tolist(), self.escape_formulas)
        times = zip(ids, predicted.start_times.tolist(), predicted.end_times.tolist(), strict=True)
        clips = [b"%b,%.3f,%.3f" % each for each in times]
        classes = kept.classes.tolist()
        names = [self.names[each] for each in classes] if self.names else [b""] * len(classes)
        columns = (map(clips.__getitem__, kept.rows.tolist()), classes, names, kept.scores.tolist())
        return b"".join([b"%b,%d,%b,%g\n" % each for each in zip(*columns, strict=True)])
