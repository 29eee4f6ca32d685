"""Batches that are prepared ahead are the same batches."""

import threading

import pytest

from samssl_cli.training.ahead import Ahead


class Numbers:
    """A batch is its step; it is remembered which thread made it."""

    def __init__(self):
        self.made = []

    def batch(self, step):
        if step == 7:
            raise ValueError("no seventh batch")
        self.made.append((step, threading.current_thread() is threading.main_thread()))
        return step


def test_every_batch_is_made_once_in_order_and_elsewhere():
    numbers = Numbers()
    ahead = Ahead(numbers)
    assert [ahead.batch(step) for step in range(3)] == [0, 1, 2]
    assert ahead.batch(3) == 3
    assert numbers.made[:4] == [(step, False) for step in range(4)]


def test_any_step_may_be_the_first_or_come_next():
    ahead = Ahead(Numbers())
    assert [ahead.batch(step) for step in (4, 5, 2, 3, 3)] == [4, 5, 2, 3, 3]


def test_what_fails_is_told_when_it_is_asked_for():
    ahead = Ahead(Numbers())
    assert ahead.batch(6) == 6
    with pytest.raises(ValueError, match="seventh"):
        ahead.batch(7)
    assert ahead.batch(8) == 8
