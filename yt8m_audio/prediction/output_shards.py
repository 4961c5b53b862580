"""Which files predictions go to, which clips each of them holds, and which worker writes it.

    shards = output_shards("preds-@16.csv", num_clips=20371)
    shards[0].path, shards[0].clips                     # preds-00000-of-00016.csv, range(0, 1274)
    of_worker(shards, "0/4", "preds-@16.csv")           # shards 0, 4, 8 and 12

What a shard holds is a function of the clips and of how many shards there are, whoever writes it.
"""

import dataclasses
import re
from collections.abc import Sequence

from yt8m_audio.errors import UserError
from yt8m_audio.paths import AnyPath, path_of

PATTERN = re.compile(r"@(\d+)(?!.*@\d)")  # the last one of the file's name
MOST_SHARDS = 99_999


@dataclasses.dataclass(frozen=True)
class OutputShard:
    """One file of predictions.

    Attributes:
        path: the file.
        clips: numbers of the clips that it holds.
        number: which of the shards it is; None where the output is one file.
    """

    path: AnyPath
    clips: range
    number: int | None = None


def output_shards(output_file: str, num_clips: int) -> list[OutputShard]:
    """The files of `--output_file`: of a name with @N in it N, with runs of clips whose lengths differ by 1 at most.

    Raises:
        UserError: if N is none that there can be, or the path is one that needs tensorflow-io.
    """
    path = path_of(output_file)
    found = PATTERN.search(path.name)
    if not found:
        return [OutputShard(path, range(num_clips))]
    count = int(found.group(1))
    if not 1 <= count <= MOST_SHARDS:
        raise UserError(f"--output_file={output_file}: @{count} is no number of shards: give 1 to {MOST_SHARDS:,}.")
    ends = [num_clips * number // count for number in range(count + 1)]
    return [
        OutputShard(shard_path(path, found, number, count), range(ends[number], ends[number + 1]), number)
        for number in range(count)
    ]


def shard_path(path: AnyPath, found: re.Match, number: int, count: int) -> AnyPath:
    """The name of a shard: 00003-of-00016 in place of @16."""
    before, behind = path.name[: found.start()], path.name[found.end() :]
    return path.with_name(f"{before}{number:05d}-of-{count:05d}{behind}")


def of_worker(shards: Sequence[OutputShard], worker: str, output_file: str) -> list[OutputShard]:
    """The shards that a worker "i/n" writes, i from 0 on: every n-th; all where it is "".

    Raises:
        UserError: if it is none, or there are fewer shards than workers.
    """
    if not worker:
        return list(shards)
    number, workers = _parsed(worker)
    if shards[0].number is None or len(shards) < workers:
        wanted = f"--output_file={output_file} has {'no @' if shards[0].number is None else f'@{len(shards)}'}"
        raise UserError(
            f"--worker={worker} takes one shard in {workers}, and {wanted}: name at least {workers} shards, such as "
            f"predictions-@{workers}.csv."
        )
    return list(shards[number::workers])


def _parsed(worker: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", worker)
    number, workers = map(int, found.groups()) if found else (0, 0)
    if not number < workers:
        raise UserError(f"--worker={worker} must be i/n: which of n workers, 0/n to n-1/n, such as 0/4.")
    return number, workers
