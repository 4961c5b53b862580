"""Errors that are the user's to mend: one line on the terminal, exit status 2, no traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Says what was asked, what was found and what to do, and names the file, key or flag."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean X?" for the known name nearest to `name`, or "" when none is near."""
    by_lower_case = {each.lower(): each for each in known}
    matches = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f" Did you mean {by_lower_case[matches[0]]}?" if matches else ""
