"""What the validations of a run gave: which was the best, and for how long none has been better.

validations = Validations(checkpoints, metric="mAP", patience=3)
validations.take(step, figures)     # whether it is the best so far
validations.exhausted               # whether that is too long ago
"""

import dataclasses
import math

from yt8m_audio.training.checkpoints import Checkpoints

LOWEST_IS_BEST = ("loss",)


@dataclasses.dataclass
class Validations:
    """The best validation so far, kept beside the checkpoints.

    Attributes:
        checkpoints: where it is noted.
        metric: the figure that is compared.
        patience: validations in a row without a better one after which it is enough; 0 never.
        best: figures and step of the best, or None.
        last_step: step of the last.
        without_better: validations since the best.
    """

    checkpoints: Checkpoints
    metric: str
    patience: int
    best: dict | None = None
    last_step: int = -1
    without_better: int = 0

    def resume(self) -> None:
        """Takes up what was noted, of the same metric."""
        best, noted = self.checkpoints.best(), self.checkpoints.validated()
        self.last_step = noted["step"]
        if best and best["metric"] == self.metric:
            self.best = {self.metric: best["value"], "step": best["step"]}
            self.without_better = noted["without_better"]
            if best["step"] > noted["step"]:  # killed in between
                self.last_step, self.without_better = best["step"], 0

    def take(self, step: int, figures: dict) -> bool:
        """Takes in the figures of a validation, and returns whether they are the best so far."""
        again = step <= self.last_step  # that of a checkpoint before a damaged one
        better = self._is_better(figures[self.metric])
        if better:
            self.best = {**figures, "step": step}
            self.checkpoints.mark_best(step, self.metric, figures[self.metric])
        self.without_better = 0 if better else self.without_better + (not again)
        self.last_step = max(step, self.last_step)
        self.checkpoints.mark_validated(self.last_step, self.without_better)
        return better

    @property
    def exhausted(self) -> bool:
        """Whether there have been enough validations without a better one."""
        return bool(self.patience) and self.without_better >= self.patience

    def _is_better(self, value: float) -> bool:
        if self.best is None or math.isnan(self.best[self.metric]):
            return True
        best = self.best[self.metric]
        return value < best if self.metric in LOWEST_IS_BEST else value > best
