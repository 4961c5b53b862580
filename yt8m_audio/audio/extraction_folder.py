"""The folder of an extraction while it is filled: what has been written stays, whenever the process is killed.

OUT                            appears when it is whole
.OUT.extracting                until then, beside it
    extraction.json            what the bytes depend on: an extraction with others does not go on here
    00000-of-00004.tfrecord    whole shards
    00001-of-00004.part        the one that is being written,
    00001.rows                 and the manifest's rows of its sounds, each with how many bytes of it then counted
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yt8m_audio.audio.manifest import MANIFEST, read_manifest, write_manifest
from yt8m_audio.audio.sound_frames import FAILED
from yt8m_audio.errors import UserError, reason
from yt8m_audio.records import CRC, LENGTH, masked_crc

FACTS = "extraction.json"


class ExtractionFolder:
    """Shards, rows and facts.

    Args:
        out: the folder that is to appear.
        facts: what its bytes depend on, as JSON takes it.
        shards: how many.
    """

    def __init__(self, out: str, facts: dict[str, Any], shards: int):
        if "://" in out:
            raise UserError(f"{out}: records are written to a folder of this machine; copy them from there.")
        self.name, self.out, self.shards = out or ".", Path(out).resolve(), shards
        self.partial = self.out.with_name(f".{self.out.name}.extracting")
        self.facts = json.loads(json.dumps(facts))
        self.is_whole = False
        self.rows: dict[int, list[dict]] = {}
        self.shard_file = self.rows_file = self.lock = None

    def begin(self, retry_failed: bool = False) -> int:
        """Makes the folder, or finds what is in it.

        Args:
            retry_failed: whether shards of a whole folder in which a sound had failed are written again.

        Returns:
            How many sounds are done.

        Raises:
            UserError: if it holds something else, or another process is filling it.
        """
        with self.writing():
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                self._check_facts(self.out, f"{self.name} is there already")
                rows = read_manifest(self.out / MANIFEST)
                if not (retry_failed and any(row["state"] == FAILED for row in rows)):
                    self.is_whole = True
                    return len(rows)
                os.rename(self.out, self.partial)
            self._open_partial()
            if (self.partial / MANIFEST).exists():
                self._take_apart(retry_failed)
            self.rows = {shard: self._recovered(shard) for shard in range(self.shards)}
        return sum(map(len, self.rows.values()))

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Makes the user's of what the system says of the folder, such as that the disk is full."""
        try:
            yield
        except OSError as error:
            kept = "What is done is kept: type the same command again to go on"
            raise UserError(f"{self.name} cannot be written: {reason(error)}. {kept}.") from error

    def left(self, shard: int, num_sounds: int) -> range:
        """Numbers of the sounds of a shard that are still to come."""
        return range(shard, num_sounds, self.shards)[len(self.rows[shard]) :]

    # One shard

    def open(self, shard: int) -> None:
        """Opens a shard to add to it, behind what is in it."""
        self.close()
        self.shard_file = self._part(shard).open("ab")
        self.rows_file = self._rows(shard).open("a", encoding="utf-8")
        self.open_rows = self.rows[shard]

    def add(self, row: dict[str, Any], records: list[bytes]) -> None:
        """Adds a sound: its records first, then its row, which says that they count."""
        for record in records:
            self.shard_file.write(framed(record))
        self.shard_file.flush()
        row = {**row, "bytes": self.shard_file.tell()}
        self.rows_file.write(json.dumps(row) + "\n")
        self.rows_file.flush()
        self.open_rows.append(row)

    def close(self) -> None:
        """Closes the shard that is open, and names it as a whole one."""
        for file in (self.shard_file, self.rows_file):
            if file is not None:
                file.close()
        self.shard_file = self.rows_file = None

    def finish_shard(self, shard: int) -> None:
        """Gives a shard that is whole its name."""
        if not self._shard(shard).exists():
            os.replace(self._part(shard), self._shard(shard))

    # All of them

    def finish(self) -> None:
        """Writes the manifest, and has the folder appear."""
        total = sum(map(len, self.rows.values()))
        rows = [self.rows[number % self.shards][number // self.shards] for number in range(total)]
        beside = self.partial / f".{MANIFEST}"
        write_manifest(beside, rows)
        os.replace(beside, self.partial / MANIFEST)
        for shard in range(self.shards):
            self._rows(shard).unlink(missing_ok=True)
        os.rename(self.partial, self.out)
        self.lock.close()

    def _open_partial(self) -> None:
        """Makes the hidden folder, keeps others out, and checks that it is of this extraction."""
        self.partial.mkdir(parents=True, exist_ok=True)
        self.lock = (self.partial / FACTS).open("a", encoding="utf-8")  # one file for all who come, from the first on
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another process is extracting to {self.name}: let it, or give another folder.") from None
        if not self.lock.tell():
            self.lock.write(json.dumps(self.facts, indent=2) + "\n")
            self.lock.flush()
        self._check_facts(self.partial, f"{self.partial} is what is left of an extraction to {self.name}")

    def _check_facts(self, folder: Path, told: str) -> None:
        """Raises a UserError unless a folder is of this extraction."""
        try:
            there = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(f"{told}, and is none of this command: give another folder, or remove it.") from None
        differing = sorted(key for key in there.keys() | self.facts.keys() if there.get(key) != self.facts.get(key))
        if differing:
            raise UserError(
                f"{told}, of other sounds or settings ({', '.join(differing)} differ): give another folder, or remove "
                "it."
            )

    def _take_apart(self, retry_failed: bool) -> None:
        """Makes rows of the manifest again, of a folder that was about to be whole or is to be filled anew in parts."""
        rows = read_manifest(self.partial / MANIFEST)
        failed = {row["shard"] for row in rows if row["state"] == FAILED} if retry_failed else set()
        for shard in range(self.shards):
            self._rows(shard).unlink(missing_ok=True)
            if shard in failed or not self._shard(shard).exists():
                self._shard(shard).unlink(missing_ok=True)
                continue
            lines = [json.dumps(row) + "\n" for row in rows if row["shard"] == shard]
            self._rows(shard).write_text("".join(lines), encoding="utf-8")
        (self.partial / MANIFEST).unlink()

    def _recovered(self, shard: int) -> list[dict]:
        """The rows of a shard that count; what lies behind them is cut off."""
        try:
            text = self._rows(shard).read_bytes()
        except FileNotFoundError:
            text = b""
        rows = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
        if self._shard(shard).exists():
            return rows
        part = self._part(shard)
        size = part.stat().st_size if part.exists() else 0
        rows = [row for row in rows if row["bytes"] <= size]
        if part.exists():
            os.truncate(part, rows[-1]["bytes"] if rows else 0)
        self._rows(shard).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return rows

    def _shard(self, shard: int) -> Path:
        return self.partial / f"{shard:05d}-of-{self.shards:05d}.tfrecord"

    def _part(self, shard: int) -> Path:
        return self._shard(shard).with_suffix(".part")

    def _rows(self, shard: int) -> Path:
        return self.partial / f"{shard:05d}.rows"


def framed(record: bytes) -> bytes:
    """A record as it stands in a TFRecord file."""
    length = LENGTH.pack(len(record))
    return b"".join((length, CRC.pack(masked_crc(length)), record, CRC.pack(masked_crc(record))))
