"""How much memory there is to keep clips in."""

from pathlib import Path

MEMORY_INFO = Path("/proc/meminfo")
GROUP_LIMITS = (  # of the container that we may be in: the limit, and what is used of it
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def free_bytes() -> int:
    """Returns the memory that can be had without swapping, in bytes; 0 where the system does not tell."""
    free = _machine_free()
    for limit, used in GROUP_LIMITS:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return max(free, 0)


def _machine_free() -> int:
    """What the kernel says is available."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY_INFO.read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):
        return 0
