"""`samssl pretrain-scout -o scout.zarr`."""

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say


def pretrain_scout(
    output: opt.Output,
    steps: opt.Steps = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Train the embedded generalist on procedural scenes: no image of a patient is involved."""
    from samssl_cli.stages.pretrain_scout import pretrain_scout as stage

    resolved = opt.resolve(recipe, overrides, pretrain_scout__steps=steps)
    with TerminalProgress() as progress:
        path = stage(
            output, recipe=resolved, seed=seed, device=device, force=force, progress=progress
        )
    say(path)
