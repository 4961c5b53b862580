"""The clips that several systems are compared on: a file of ids, one a line."""

from pathlib import Path

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError

COMMENT = b"#"


def read_ids(path: str) -> np.ndarray:
    """Reads ids, object [n] of bytes, each once; blank lines and those that begin with # are passed over.

    Raises:
        UserError: if the file cannot be read, or holds none.
    """
    try:
        lines = [line.strip() for line in Path(path).read_bytes().splitlines()]
    except OSError as error:
        raise UserError(f"--eval_ids={path} cannot be read: {error.strerror}.") from error
    ids = dict.fromkeys(line for line in lines if line and not line.startswith(COMMENT))
    if not ids:
        raise UserError(f"--eval_ids={path} holds no id: write the id of a clip on each line.")
    return pd.Index(list(ids), dtype=object).to_numpy()


def chosen(video_ids: np.ndarray, ids: np.ndarray, path: str) -> tuple[np.ndarray, int]:
    """Finds the clips of some ids.

    Args:
        video_ids: object [clips] of bytes.
        ids: from `read_ids`.
        path: the file that they are from, for errors.

    Returns:
        Which clips have one of the ids, bool [clips], and how many of the ids no clip has.

    Raises:
        UserError: if no clip has one.
    """
    kept = pd.Index(video_ids).isin(ids)
    if not kept.any():
        first, theirs = (each[0].decode(errors="replace") if len(each) else "none" for each in (ids, video_ids))
        raise UserError(
            f"--eval_ids={path}: none of its {len(ids):,} ids, such as {first}, is one of the {len(video_ids):,} "
            f"clips, such as {theirs}: a line must be one id, and nothing else."
        )
    return kept, int((~pd.Index(ids).isin(video_ids)).sum())
