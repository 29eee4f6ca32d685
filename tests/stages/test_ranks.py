"""What a process finds in its environment. How several train together: pipeline/test_ddp.py."""

import pytest
import torch

from samssl_cli.errors import UsageError
from samssl_cli.methods import METHODS
from samssl_cli.stages.device import describe_hardware
from samssl_cli.stages.ranks import check_shareable, is_first_process, rank_and_size


@pytest.fixture
def told(monkeypatch):
    def tell(**environment):
        for name in ("RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return tell


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, (0, 1)),
        ({"RANK": "3", "WORLD_SIZE": "1"}, (0, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2"}, (1, 2)),
    ],
)
def test_rank_and_size_are_what_torchrun_says(told, environment, found):
    told(**environment)
    assert rank_and_size() == found
    assert is_first_process() == (found[0] == 0)


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("-1", "2"), ("0", "0"), ("a", "2")])
def test_an_environment_that_contradicts_itself_is_refused(told, rank, size):
    told(RANK=rank, WORLD_SIZE=size)
    with pytest.raises(UsageError, match=f"RANK={rank} and WORLD_SIZE={size}"):
        rank_and_size()


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_take_the_student_apart_are_refused(name):
    if not METHODS[name].needs_decoder:
        check_shareable(name, 2)
        return
    with pytest.raises(UsageError, match=f"method {name} takes.*one of supervised, mean-teacher"):
        check_shareable(name, 2)


def test_the_record_names_the_processes_where_there_are_several():
    cpu = torch.device("cpu")
    assert "processes" not in describe_hardware(cpu)
    assert describe_hardware(cpu, num_processes=2)["processes"] == 2
