"""When requests may be made: the rate of all workers together, pauses, and giving up."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from yt8m_audio.audioset.clips.pacing import Gate, GateState, Pace
from yt8m_audio.audioset.clips.reasons import Reason


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on where somebody waits."""
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def wait(self, seconds):
        now[0] += seconds

    monkeypatch.setattr(threading.Condition, "wait", wait)
    return now


def entries(gate, clock, count):
    """When each of some requests is let in."""
    stop, times = threading.Event(), []
    for _ in range(count):
        assert gate.enter(stop)
        gate.report(None)
        times.append(clock[0] - 1000.0)
    return times


def test_requests_are_spread_evenly(clock):
    assert entries(Gate(Pace(per_hour=360), print), clock, 4) == [0.0, 10.0, 20.0, 30.0]


def test_without_a_limit_nothing_waits(clock):
    assert entries(Gate(Pace(per_hour=0), print), clock, 100) == [0.0] * 100


def test_the_rate_holds_across_runs(clock):
    first = Gate(Pace(per_hour=360), print)
    entries(first, clock, 1)
    assert entries(Gate(Pace(per_hour=360), print, first.state), clock, 2) == [10.0, 20.0]


def test_the_rate_is_of_all_workers_together():
    gate, stop = Gate(Pace(per_hour=36_000), print), threading.Event()
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: gate.enter(stop), range(9)))
    assert time.monotonic() - begun >= 0.75


@pytest.mark.parametrize("reason", [Reason.BOT_CHECK, Reason.CAPTCHA, Reason.RATE_LIMIT])
def test_a_refusal_stops_everything_and_says_until_when(clock, reason):
    said = []
    gate = Gate(Pace(per_hour=0, pause=60), said.append)
    gate.enter(threading.Event())
    gate.report(reason)
    assert entries(gate, clock, 1) == [60.0]
    assert said == [f"{reason}: nothing is asked for 60 s; it goes on at {_clock(1060)}, with one clip."]
    assert gate.state.pauses == 0


def test_pauses_grow_and_then_it_gives_up(clock):
    gate, stop = Gate(Pace(per_hour=0, pause=60, most_pauses=3), lambda text: None), threading.Event()
    times = []
    while gate.enter(stop):
        times.append(clock[0] - 1000.0)
        gate.report(Reason.BOT_CHECK)
    assert times == [0.0, 60.0, 180.0, 420.0]
    assert gate.gave_up == "bot_check after 3 pauses in a row"


def test_requests_on_their_way_change_nothing(clock):
    gate, stop = Gate(Pace(per_hour=0, pause=60), lambda text: None), threading.Event()
    for _ in range(3):
        gate.enter(stop)
    for reason in (Reason.RATE_LIMIT, Reason.RATE_LIMIT, None):
        gate.report(reason)
    assert (gate.state.pauses, gate.state.paused_until) == (1, 1060.0)


def test_after_a_pause_one_alone_tries():
    gate, stop = Gate(Pace(per_hour=0, pause=0.05), lambda text: None), threading.Event()
    gate.enter(stop)
    gate.report(Reason.CAPTCHA)
    assert gate.enter(stop)
    other = threading.Thread(target=gate.enter, args=(stop,))
    other.start()
    other.join(0.2)
    assert other.is_alive()
    gate.report(None)
    other.join(5)
    assert not other.is_alive()


def test_a_pause_goes_on_in_the_next_run(clock):
    assert entries(Gate(Pace(per_hour=0), print, GateState(paused_until=1030.0, why="captcha")), clock, 1) == [30.0]


def test_failures_of_the_network_in_a_row_are_an_outage(clock):
    gate, stop = Gate(Pace(per_hour=0, pause=60, outage=3), lambda text: None), threading.Event()
    for reason in (Reason.NETWORK, Reason.TIME_OUT, Reason.PRIVATE, Reason.NETWORK, Reason.NETWORK):
        gate.enter(stop)
        gate.report(reason)
    assert gate.state.paused_until == 0
    gate.enter(stop)
    gate.report(Reason.NETWORK)
    assert gate.state.paused_until == 1060.0


def test_whoever_waits_is_let_go_where_all_stops():
    gate, stop = Gate(Pace(per_hour=1), print), threading.Event()
    assert gate.enter(stop)
    threading.Timer(0.1, stop.set).start()
    assert not gate.enter(stop)


def _clock(moment):
    return time.strftime("%H:%M:%S", time.localtime(moment))
