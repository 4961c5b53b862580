"""What a model says of clips and what is true of them: what every figure, interval and report is computed from."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a model says of clips, in their order, and what is true.

    Attributes:
        probabilities: float32 [clips, C]; 0 for classes that were not rated.
        labels: uint8 [clips, C].
        loss: mean label loss a clip, of the rated classes; nan where it is not known.
        rated: of segments, bool [clips, C], which classes were rated, the only ones that count; else None.
        video_ids: bytes [clips], as the records have them.
        start_times: float32 [clips], seconds into the video; 0 where the records do not say.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    loss: float
    rated: np.ndarray | None
    video_ids: np.ndarray
    start_times: np.ndarray
