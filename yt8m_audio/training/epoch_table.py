"""The table that a run prints while it goes on: a row an epoch, and one a validation in between.

    epoch      step train loss clips/s │     loss    mAP    AUC    GAP  Hit@1
        1        79    12.0293  54,452 │   9.9462 0.1586 0.8725 0.2930 0.5291 best

Left of the bar what training says, right of it what validation does.
"""

import dataclasses
from collections.abc import Callable, Mapping

TRAINING_HEADING = f"{'epoch':>5} {'step':>9} {'train loss':>10} {'clips/s':>7}"  # 79 columns with what follows
VALIDATION_HEADING = f" │ {'loss':>8} {'mAP':>6} {'AUC':>6} {'GAP':>6} {'Hit@1':>6}"
ROWS_A_HEADING = 25  # so that one is in sight


@dataclasses.dataclass
class EpochTable:
    """Prints rows, under a heading now and then.

    Attributes:
        say: prints a line.
        validates: whether there are clips to validate on.
    """

    say: Callable[[str], None]
    validates: bool
    rows: int = 0

    def add(self, epoch: float, step: int, training: tuple[float, float] | None, validation: Mapping | None) -> None:
        """Prints a row.

        Args:
            epoch: epochs done.
            step: steps done.
            training: loss and clips a second, or None where this process has not trained yet.
            validation: figures of evaluate(), and `best`: whether they are the best so far; or None.
        """
        if self.rows % ROWS_A_HEADING == 0:
            self.say(TRAINING_HEADING + (VALIDATION_HEADING if self.validates else ""))
        self.rows += 1
        loss, rate = training or (None, None)
        known = "" if loss is None else f"{loss:.4f}"
        speed = f"{rate:,.0f}" if rate else ""  # unknown before the second call
        row = f"{f'{epoch:.1f}'.removesuffix('.0'):>5} {step:>9,} {known:>10} {speed:>7}"
        self.say(row + (validated(validation) if validation else ""))


def validated(figures: Mapping) -> str:
    """The columns right of the bar."""
    shares = " ".join(f"{figures[name]:.4f}" for name in ("mAP", "auc", "gap@20", "hit@1"))
    return f" │ {figures['loss']:8.4f}  {shares}{' best' if figures['best'] else ''}"
