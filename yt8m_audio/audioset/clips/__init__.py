"""Clips of AudioSet's segments: what is asked for, what became of each, and how they are fetched and cut."""
