"""Fields of a CSV, that a CSV parser gives back verbatim.

csv_fields([b"abc", b"a,b"])                 # [b"abc", b'"a,b"']
csv_fields([b"-abc"], escape_formulas=True)  # [b"'-abc"]
"""

from collections.abc import Sequence

SPECIAL = (b",", b'"', b"\n", b"\r")
FORMULA_STARTS = (b"=", b"+", b"-", b"@", b"\t", b"\r")


def csv_fields(fields: Sequence[bytes], escape_formulas: bool = False) -> list[bytes]:
    """Quotes fields where they must be.

    Args:
        fields: what the CSV is to hold.
        escape_formulas: put an apostrophe before those that a spreadsheet would take for a formula. They are then no
            longer verbatim: ids of AudioSet may begin with `-`.
    """
    if escape_formulas:
        fields = [b"'" + field if field.startswith(FORMULA_STARTS) else field for field in fields]
    together = b"".join(fields)
    if not any(special in together for special in SPECIAL):  # nearly always, and many times as fast
        return list(fields)
    return [_quoted(field) for field in fields]


def _quoted(field: bytes) -> bytes:
    if any(special in field for special in SPECIAL):
        return b'"' + field.replace(b'"', b'""') + b'"'
    return field
