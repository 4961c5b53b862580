"""Tables in the documentation that a command writes, between two comments of their own."""

from pathlib import Path


def put_between(page: Path, name: str, text: str) -> None:
    """Replaces what stands between `<!-- NAME begin -->` and `<!-- NAME end -->` in a page of Markdown.

    Raises:
        ValueError: if the page has no such place.
    """
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"{page} has no {begin} ... {end}.")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
