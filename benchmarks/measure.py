"""How a benchmark measures, and what it tells."""

import dataclasses
import time
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Result:
    """One figure beside the limit that was measured in the same run.

    Attributes:
        name: what was done.
        value: how fast.
        unit: of value and limit.
        limit_name: what bounds it.
        limit: how fast that is.
    """

    name: str
    value: float
    unit: str
    limit_name: str
    limit: float

    @property
    def ratio(self) -> float:
        """The share of the limit that was reached."""
        return self.value / self.limit


def alternately(*works: Callable[[], int], rounds: int = 5) -> list[float]:
    """Measures several works in turn, several times over, so that what else the machine does hits all of them.

    Args:
        works: functions that do something and return how many clips (or operations) that were; each runs once before.
        rounds: how often each is measured.

    Returns:
        The best rate of each, a second.
    """
    for work in works:
        work()
    best = [0.0] * len(works)
    for _ in range(rounds):
        for number, work in enumerate(works):
            begun = time.perf_counter()
            done = work()
            best[number] = max(best[number], done / (time.perf_counter() - begun))
    return best
