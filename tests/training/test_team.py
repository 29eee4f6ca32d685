import os

import numpy as np
import pytest
import torch

from samssl_cli.errors import TrainingError, UsageError
from samssl_cli.training.team import Team, join

CPU = torch.device("cpu")


def ours(timeout_s=60.0):
    return join(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), CPU, timeout_s=timeout_s)


@pytest.mark.parametrize(("count", "size"), [(4, 2), (5, 2), (1, 2), (0, 3), (7, 3)])
def test_every_patch_is_in_one_share(count, size):
    shares = [range(count)[Team(rank, size).share(count)] for rank in range(size)]
    assert [n for share in shares for n in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_team_of_one_says_nothing():
    alone = Team()
    data = np.arange(3, dtype=np.uint8)
    assert alone.is_first
    assert alone.largest(7) == 7
    assert alone.hand_out(data) is data
    assert alone.add_up(torch.ones(2)).tolist() == [1, 1]
    alone.wait()


def talk():
    us = ours()
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    without = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.full((2, 2), float(us.rank + 1))
    us.add_up_gradients([weight, without])
    data = np.arange(5, dtype=np.uint8) if us.is_first else None
    share = us.share(3)
    return {
        "gradient": weight.grad.tolist(),
        "none": without.grad,
        "largest": us.largest(us.rank * 3),
        "handed out": us.hand_out(data).tolist(),
        "nothing": us.hand_out(None),
        "collected": us.collect(torch.arange(3.0)[share][:, None], 3).tolist(),
    }


def test_two_agree(on_ranks):
    assert (
        on_ranks(2, talk).answers()
        == [
            {
                "gradient": [[3.0, 3.0], [3.0, 3.0]],
                "none": None,
                "largest": 3,
                "handed out": [0, 1, 2, 3, 4],
                "nothing": None,
                "collected": [[0.0], [1.0], [2.0]],
            }
        ]
        * 2
    )


def leave_early():
    us = ours()
    if not us.is_first:
        os._exit(9)
    return us.largest(0)


def test_one_that_is_gone_is_noticed(on_ranks):
    (name, code, message), gone = on_ranks(2, leave_early).answers()
    assert (name, code, gone) == (TrainingError.__name__, 1, 9)
    assert "run the same command again" in message


def test_one_that_never_comes_is_not_waited_for(monkeypatch):
    told = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match="did not meet within 1 s"):
        ours(timeout_s=1)


def test_a_place_to_meet_is_needed(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UsageError, match="start them with torchrun"):
        ours()
