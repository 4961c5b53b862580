"""Errors that are the user's to mend: one line on the terminal, exit status 2, no traceback."""

import difflib
import os
import re
from collections.abc import Iterable


class UserError(Exception):
    """Says what was asked, what was found and what to do, and names the file, key or flag."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean X?" for the known name nearest to `name`, or "" when none is near."""
    by_lower_case = {each.lower(): each for each in known}
    matches = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f" Did you mean {by_lower_case[matches[0]]}?" if matches else ""


def reason(error: Exception) -> str:
    """Says what the system says of a file, without the words that a package puts around it."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).strip() or type(error).__name__


def csv_fault(error: Exception) -> str:
    """Says what is wrong with a CSV, of an error that pandas raised when it read one."""
    text = reason(error)
    fields = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text)
    if fields:
        return "line {1} has {2} columns in place of {0}".format(*fields.groups())
    if "No columns to parse" in text:
        return "it is empty"
    if "Error tokenizing data" in text:
        return "a quote is not closed" if "inside string" in text else "its lines are no values with commas between"
    return text
