"""Row 6. Tasks of a job array write one artifact side by side, each its own cases."""


def test_row_06_tasks_of_an_array_all_succeed(samssl, loop, command, tmp_path, hashes):
    output = tmp_path / "pseudo.zarr"
    array = {"COUNT": "2", "MIN": "1", "MAX": "2", "STEP": "1"}
    tasks = [
        {f"SLURM_ARRAY_TASK_{name}": value for name, value in {**array, "ID": number}.items()}
        for number in ("1", "2")
    ]
    order = command("sam-label", loop.out, output, "--shard", "auto")
    done = samssl.together(order, order, envs=tasks)
    assert [one.code for one in done] == [0, 0], [one.stderr for one in done]
    assert hashes(output) == hashes(loop.path("pseudo"))


def test_row_06_a_task_that_was_killed_holds_nothing(samssl, loop, command, tmp_path, hashes):
    output = tmp_path / "pseudo.zarr"
    begun = output.with_name("pseudo.zarr.part") / "zarr.json"
    killed = samssl(*command("sam-label", loop.out, output, "--shard", "1/2"), after_path=begun)
    assert killed.code == -9
    for text in ("1/2", "2/2"):
        done = samssl(*command("sam-label", loop.out, output, "--shard", text))
        assert done.code == 0, done.stderr
    assert hashes(output) == hashes(loop.path("pseudo"))
