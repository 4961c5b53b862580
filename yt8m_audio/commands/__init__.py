"""Commands of `python -m yt8m_audio`, a file each: arguments to one call."""
