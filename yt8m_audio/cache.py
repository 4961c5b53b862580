"""The folder that what is made or fetched once is kept in: the built-in sample, VGGish's weights."""

import os
from pathlib import Path

CACHE_VARIABLE = "YT8M_AUDIO_CACHE"


def cache_folder() -> Path:
    """Returns $YT8M_AUDIO_CACHE, else $XDG_CACHE_HOME/yt8m-audio, else ~/.cache/yt8m-audio."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "yt8m-audio"
