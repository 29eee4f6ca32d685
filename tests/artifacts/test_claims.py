import os
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import pytest

from samssl_cli.artifacts.claims import Claim, claimed, refuse_if_claimed, silently
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import ArtifactError, BusyArtifactError

OURS = f"process {os.getpid()} on"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "x.zarr"


@contextmanager
def taken(output, shard=None):
    with claimed(output, shard) as claim:
        with claim.turn():
            claim.take()
        yield claim


def refused(output, shard, who):
    return pytest.raises(BusyArtifactError, match=rf"x\.zarr: is being written by {who}")


def test_shards_are_written_beside_each_other(output):
    with taken(output, Shard(1, 3)) as first, taken(output, Shard(3, 3)) as third:
        with first.turn():
            assert first.others() == [f"shard 3/3, {OURS} {os.uname().nodename}, for 0 min"]
        third.release()
        with first.turn():
            assert first.others() == []


@pytest.mark.parametrize(
    ("held", "wanted", "who"),
    [
        (None, None, OURS),
        (None, Shard(2, 3), OURS),
        (Shard(2, 3), None, f"shard 2/3, {OURS}"),
        (Shard(2, 3), Shard(2, 3), f"shard 2/3, {OURS}"),
        (Shard(2, 3), Shard(1, 4), f"shard 2/3, {OURS} .*, one of 3 shards and not of 4"),
    ],
    ids=str,
)
def test_who_would_write_the_same_is_refused_and_told_by_whom(output, held, wanted, who):
    with taken(output, held):
        with refused(output, wanted, who), taken(output, wanted):
            pass
        with refused(output, wanted, who):
            refuse_if_claimed(output, wanted, silently)
    with taken(output, wanted):  # and afterwards it is free
        pass


def test_the_whole_is_refused_while_a_shard_begins_or_seals(output):
    with (
        claimed(output, Shard(1, 2)) as claim,
        claim.turn(),
        refused(output, None, f"shard 1/2, {OURS}"),
        taken(output),
    ):
        pass


def test_a_shard_waits_for_its_turn_and_may_stop_waiting(output):
    told = []

    def wait(holder):
        told.append(holder)
        if len(told) == 3:
            raise InterruptedError

    with (
        claimed(output, Shard(1, 2)) as first,
        first.turn(),
        pytest.raises(InterruptedError),
        claimed(output, Shard(2, 2)) as second,
        second.turn(wait),
    ):
        pass
    assert told == [f"shard 1/2, {OURS} {os.uname().nodename}, for 0 min"] * 3


def test_a_name_is_no_pattern_and_no_beginning_of_another(tmp_path):
    with (
        taken(tmp_path / "x[1].zarr", Shard(1, 2)),
        taken(tmp_path / "x[1]"),
        pytest.raises(BusyArtifactError),
        taken(tmp_path / "x[1].zarr"),
    ):
        pass


def test_looking_leaves_no_file(output):
    refuse_if_claimed(output, Shard(1, 2), silently)
    refuse_if_claimed(output.parent / "new" / "x.zarr", None, silently)
    assert list(output.parent.iterdir()) == []


def test_forgotten_shards_leave_nothing(output):
    with taken(output, Shard(1, 2)) as claim:
        with taken(output, Shard(2, 2)):
            pass
        with claim.turn():
            claim.forget()
    assert list(output.parent.iterdir()) == []


def test_who_only_forgets_does_not_take_a_turn_away(output):
    with claimed(output, Shard(1, 2)) as claim, claim.turn():
        Claim(output).forget()
        assert (output.parent / ".x.zarr.shards.lock").exists()


HOLDER = """
    import sys, time
    from pathlib import Path
    from samssl_cli.artifacts.claims import claimed
    from samssl_cli.artifacts.shard import Shard
    with claimed(Path(sys.argv[1]), Shard(1, 2)) as claim:
        with claim.turn():
            claim.take()
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_killed_shard_holds_nothing(output):
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with refused(output, None, f"shard 1/2, process {holder.pid}"), taken(output):
            pass
        holder.send_signal(signal.SIGKILL)
    with taken(output, Shard(1, 2)):
        pass
    with taken(output):
        pass


@pytest.mark.parametrize("name", [".x.zarr.lock", ".x.zarr.owner"])
@pytest.mark.parametrize("shard", [None, Shard(1, 2)], ids=str)
def test_nothing_is_written_through_a_link(output, shard, name):
    """Somebody else's folder may hold locks that lead elsewhere."""
    if shard is not None:
        name = name.replace("zarr", "zarr.shard-1-of-2")
    precious = output.with_name("precious")
    precious.write_text("mine")
    output.with_name(name).symlink_to(precious)
    if name.endswith(".lock"):
        with pytest.raises(ArtifactError, match=r"lock: cannot be written: is a link"):
            taken(output, shard).__enter__()
    else:
        with taken(output, shard):
            assert not output.with_name(name).is_symlink()
    assert precious.read_text() == "mine"


def test_an_owner_that_is_a_pipe_is_nobody(output):
    with taken(output):
        owner = output.with_name(".x.zarr.owner")
        owner.unlink()
        os.mkfifo(owner)
        with refused(output, None, "another process"), taken(output):
            pass
