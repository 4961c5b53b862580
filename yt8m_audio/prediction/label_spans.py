"""From when to when a class is heard: windows that lie side by side and have it, as one span.

    spans = label_spans(windows, lead=1.0)     # a row a span; spans.classes [n, 1], spans.scores [n, 1]

A window stands for the part in its middle, as long as the hop: where windows overlap, a short sound would otherwise be
drawn out by all windows that touch it. The first window stands for all before that part too, the last for all behind.
"""

import numpy as np

from yt8m_audio.prediction.kept_classes import kept_classes
from yt8m_audio.prediction.predicted import Predicted


def label_spans(windows: Predicted, lead: float = 0.0) -> Predicted:
    """Joins the windows of one sound.

    Args:
        windows: of one sound, in order, each begun as long behind the one before.
        lead: seconds between a window's beginning and that of the part it stands for.

    Returns:
        The spans in the order of their beginnings, each with the highest score of its windows.
    """
    edges = np.append(windows.start_times + np.float32(lead), windows.end_times[-1:])  # [n + 1]
    edges[:1] = windows.start_times[:1]
    edges = np.minimum(edges, edges[-1])
    kept = kept_classes(windows)
    order = np.lexsort((kept.rows, kept.classes))
    rows, classes, scores = kept.rows[order], kept.classes[order], kept.scores[order]
    begins = np.flatnonzero((np.diff(rows, prepend=-2) != 1) | (np.diff(classes, prepend=-1) != 0))
    ends = np.append(begins[1:], len(rows)) - 1 if len(rows) else begins
    best = np.maximum.reduceat(scores, begins) if len(rows) else scores
    spans = Predicted(
        video_ids=windows.video_ids[rows[begins]],
        start_times=edges[rows[begins]],
        end_times=edges[rows[ends] + 1],
        classes=classes[begins, None],
        scores=best[:, None],
    )
    return spans.take(np.lexsort((-spans.scores[:, 0], spans.start_times)))
