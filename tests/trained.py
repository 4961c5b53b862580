"""What tests read of the runs that they train."""

from pathlib import Path

import numpy as np


def arrays(run, step: int | None = None) -> dict[str, np.ndarray]:
    """What a run's checkpoint holds, the newest when no step is given: name -> array, in order."""
    pattern = "step-*.npz" if step is None else f"step-{step:08d}.npz"
    newest = max(Path(run, "checkpoints").glob(pattern))
    with np.load(newest) as file:
        return {key: file[key] for key in sorted(file.files) if key != "state.json"}
