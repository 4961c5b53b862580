"""Work on several cores comes back in order, and what kills its process is told, and nothing else with it."""

import os
import time

import pytest

from yt8m_audio.audio.in_order import in_order


def square(number):
    if number == 3:
        os._exit(1)  # as a decoder that crashes, or the kernel for want of memory
    time.sleep(0.01 * (number % 2))
    return number * number


def failing(number):
    raise ValueError(f"of {number}")


def test_a_process_that_dies_takes_nothing_with_it():
    found = list(in_order(range(24), square, 2, lambda number: f"lost {number}"))
    assert found == [f"lost {number}" if number == 3 else number * number for number in range(24)]


@pytest.mark.parametrize(("workers", "threads"), [(1, False), (3, True)])
def test_here_and_in_threads(workers, threads):
    numbers = [number for number in range(40) if number != 3]
    assert list(in_order(numbers, square, workers, str, threads)) == [number * number for number in numbers]


def test_errors_come_through():
    with pytest.raises(ValueError, match="of 0"):
        list(in_order(range(3), failing, 2, str))
