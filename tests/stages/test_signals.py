import os
import signal

import pytest

from samssl_cli.errors import Interrupted
from samssl_cli.stages.signals import STOPPING, leave_on_signals, signals_as_stop_request

CODES = {signal.SIGUSR1: 85, signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_a_stage_remembers_the_signal_and_stops_when_it_looks(handlers, number):
    with signals_as_stop_request() as stop:
        stop.raise_if_set()
        os.kill(os.getpid(), number)
        assert stop.is_set
        with pytest.raises(Interrupted, match=f"stopped by {number.name}") as caught:
            stop.raise_if_set()
    assert caught.value.exit_code == CODES[number]
    assert {n: signal.getsignal(n) for n in STOPPING} == handlers


def test_the_first_of_several_signals_decides(handlers):
    with signals_as_stop_request() as stop:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        assert stop.signum == signal.SIGUSR1


def test_a_second_ctrl_c_does_not_wait(handlers):
    with signals_as_stop_request():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(SystemExit) as caught:
            os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.code == 130


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_before_a_stage_a_signal_ends_the_process_with_its_code(handlers, number, capsys):
    leave_on_signals()
    with pytest.raises(SystemExit) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.code == CODES[number]
    assert f"stopped by {number.name}" in capsys.readouterr().err
