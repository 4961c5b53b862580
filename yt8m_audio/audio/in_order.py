"""Does the same with many things on several processor cores, and gives the results in the order of the things.

    for done in in_order(sounds, SoundWork(opened, settings), workers=2, lost=told): ...

Processes, for what holds Python's lock: they are started afresh (spawned), as forks of a process with threads may hang.
A process that dies takes no other thing with it: those that it may have died of are tried again, one by one.
"""

import collections
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

AHEAD = 8  # things a worker that are under way or done before their turn

_work: Callable | None = None  # of a worker process


def in_order(
    things: Iterable[Any],
    work: Callable[[Any], Any],
    workers: int,
    lost: Callable[[Any], Any],
    threads: bool = False,
) -> Iterator[Any]:
    """Gives `work(thing)` of each thing, in order.

    Args:
        things: what to work on; some are taken ahead.
        work: a function, or an object with `__call__`; it is pickled for processes, once each.
        workers: how many; with 1 all is done here.
        lost: what to give of a thing that killed its process.
        threads: whether workers are threads, for work that leaves Python's lock to others and has state to share.
    """
    if workers == 1:
        yield from map(work, things)
        return
    pool = _Pool(work, workers, threads)
    try:
        waiting: collections.deque[tuple] = collections.deque()
        for thing in things:
            waiting.append((thing, pool.submit(thing)))
            if len(waiting) >= AHEAD * workers:
                yield pool.result(waiting, lost)
        while waiting:
            yield pool.result(waiting, lost)
    finally:
        pool.close()


class _Pool:
    """Workers, and new ones where one of them died."""

    def __init__(self, work: Callable, workers: int, threads: bool):
        self.work, self.workers, self.threads = work, workers, threads
        self.executor = self._started(workers)

    def _started(self, workers: int) -> Executor:
        if self.threads:
            return ThreadPoolExecutor(workers)
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(self.work,))

    def submit(self, thing: Any):
        """Has a thing worked on; its future."""
        if self.threads:
            return self.executor.submit(self.work, thing)
        try:
            return self.executor.submit(_do, thing)
        except BrokenProcessPool:  # told when it comes to the first future that was lost
            return None

    def result(self, waiting: collections.deque, lost: Callable) -> Any:
        """Takes the first thing that waits, and gives what came of it."""
        thing, future = waiting.popleft()
        try:
            if future is not None:
                return future.result()
        except BrokenProcessPool:
            pass
        found = self._alone(thing, lost)
        self._restart(waiting)
        return found

    def _alone(self, thing: Any, lost: Callable) -> Any:
        """Tries a thing in a process of its own."""
        with self._started(1) as alone:
            try:
                return alone.submit(_do, thing).result()
            except BrokenProcessPool:
                return lost(thing)

    def _restart(self, waiting: collections.deque) -> None:
        """Has what was lost with the others worked on again."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self._started(self.workers)
        for number, (thing, future) in enumerate(waiting):
            if future is None or (future.done() and isinstance(future.exception(), BrokenProcessPool)):
                waiting[number] = thing, self.submit(thing)

    def close(self) -> None:
        """Ends the workers; what they have not begun is not done."""
        self.executor.shutdown(wait=True, cancel_futures=True)


def _begin(work: Callable) -> None:
    """What a worker process does first."""
    global _work
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches it too: it ends without a word
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = work


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, however it ended: it would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _do(thing: Any) -> Any:
    return _work(thing)
