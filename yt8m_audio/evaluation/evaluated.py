"""An evaluation as a whole: what report, model card and comparison are written from."""

import dataclasses

import numpy as np

from yt8m_audio.evaluation.scores import Scores


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Scores, the figures of them, and where both come from.

    Attributes:
        scores: what was said of every clip, and what is true.
        figures: what `evaluate` gives.
        about: where they come from, as JSON takes it: `kind`, `source`, `clips`, `ids_sha256`, `classes`, ... (see
            yt8m_audio.commands.scored).
        class_names: C display names; "class 17" where a class has none.
        intervals: figure -> (low, high), where they were asked for.
        train_positives: int64 [C], positives among the clips trained on, where those records are at hand.
        label_quality: float [C], share of the rated clips of a class whose label was right; nan where unrated.
        class_ids: C machine ids such as /m/09x0r, or none.
        training_curves: rows of the run's metrics.jsonl.
        settings: the run's config.json.
        branches: figures by branch, depth and leaves of the ontology, and `violations` (see branches.py).
    """

    scores: Scores
    figures: dict[str, float]
    about: dict
    class_names: tuple[str, ...]
    intervals: dict[str, tuple[float, float]] | None = None
    train_positives: np.ndarray | None = None
    label_quality: np.ndarray | None = None
    class_ids: tuple[str, ...] = ()
    training_curves: list[dict] = dataclasses.field(default_factory=list)
    settings: dict = dataclasses.field(default_factory=dict)
    branches: dict | None = None
