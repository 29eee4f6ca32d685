# What each stage is told, and where it writes. The rules are in Snakefile.

import shlex
from hashlib import sha256
from pathlib import Path

from snakemake.exceptions import WorkflowError

STAGES = ("preprocess", "train", "prompt", "sam_label", "retrain", "evaluate")
KEYS = (
    *("data", "out", "labeled", "split", "coarse_mm", "rounds", "recipe", "steps", "seed", "device"),
    *("generalist", "checkpoint", "first_guess", "samssl", "threads"),
    *(f"{stage}_flags" for stage in STAGES),
)


def setting(name):
    """A value of the configuration as text; empty when it is not set."""
    value = config.get(name)
    return "" if value is None else str(value).strip()


def words(name):
    """A value of the configuration as the words of a shell; a list is one already."""
    value = config.get(name) or ""
    if isinstance(value, list):
        return [str(word) for word in value]
    try:
        return shlex.split(str(value))
    except ValueError:  # Snakemake takes outer quotes off what --config says
        raise WorkflowError(f"a quote is not closed in {name}={value}; use --configfile for quotes")


def option(flag, value):
    """A flag with its value, or nothing."""
    return [flag, value] if value else []


def check_config():
    """Refuse what cannot be meant, before anything runs."""
    if unknown := sorted(set(config) - set(KEYS)):
        raise WorkflowError(f"there is no {', '.join(unknown)}; known: {', '.join(KEYS)}")
    if not (setting("data") and setting("out")):
        raise WorkflowError("data and out are needed: --config data=DIR out=DIR")
    if Path(setting("out")).resolve().is_relative_to(Path(setting("data")).resolve()):
        raise WorkflowError("out lies inside data; choose a folder outside")
    if setting("coarse_mm") and setting("first_guess"):
        raise WorkflowError(
            "coarse_mm trains a specialist and first_guess trains none: set one of them"
        )
    if not setting("rounds").isdecimal() or not int(setting("rounds")):
        raise WorkflowError(f"rounds={setting('rounds')} is no number of rounds")


# ---- options of each stage ---------------------------------------------------------------------------


def asked_as_in_the_round():
    """The --set words of prompt and sam-label, which evaluate repeats."""
    flags = [*words("prompt_flags"), *words("sam_label_flags")]
    pairs = [word.partition("=") for word in flags if word.startswith("--set=")]
    values = [value for _, _, value in pairs]
    values += [value for flag, value in zip(flags, flags[1:], strict=False) if flag == "--set"]
    return [f"--set={value}" for value in values if value.startswith(("prompt.", "sam_label."))]


def options_of(stage):
    """Everything that a stage is told but its inputs, as words of a shell."""
    recipe = ["--recipe", setting("recipe")]
    seed, steps = ["--seed", setting("seed")], option("--steps", setting("steps"))
    cases = [*option("--labeled", setting("labeled")), *option("--split", setting("split"))]
    asked = [word for one in words("generalist") for word in ("--generalist", one)]
    asked += [word for one in words("checkpoint") for word in ("--checkpoint", one)]
    told = {
        "preprocess": [*cases],
        "train": [*seed, *steps],
        "prompt": [*seed],
        "sam_label": [*asked],
        "retrain": [*seed, *steps],
        "evaluate": [*asked, *asked_as_in_the_round()],
    }[stage]
    device = [] if stage == "preprocess" else ["--device", setting("device")]
    return shlex.join([*recipe, *told, *words(f"{stage}_flags"), *device, "--force"])


def contents(folder):
    """Name, size and time of every file of the data set, as one text."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    told = [(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return sha256(repr(told).encode()).hexdigest()


def files_of(stage):
    """The files that are named among the options of a stage, and whose change concerns it."""
    named = [setting("recipe")] if setting("recipe").endswith(".toml") else []
    if stage == "preprocess":
        named += [setting("labeled"), setting("split")]
    if stage in ("sam_label", "evaluate"):
        for one in words("checkpoint"):
            named.append(one if Path(one).exists() else one.partition("=")[2])
        named += [one for one in words("generalist") if one.endswith(".zarr")]
    return [name for name in named if name and Path(name).exists()]


# ---- artifacts and their marks -----------------------------------------------------------------------


def artifact(name):
    """Where an artifact lies."""
    return f"{OUT}/{name}.zarr"


def mark(name):
    """The file that tells Snakemake that an artifact is made: newer than all that it is made from."""
    return f"{OUT}/.snakemake-marks/{name}"


def forget_lost_artifacts():
    """An artifact that somebody removed is not made, whatever its mark says."""
    marks = Path(mark(""))
    for path in [path for path in marks.rglob("*") if path.is_file()]:
        if not Path(artifact(path.relative_to(marks).as_posix())).exists():
            path.unlink()


def before_round(number):
    """The checkpoint that round `number` asks about; none where that is a first guess."""
    if number > 1:
        return f"round-{number - 1}/student"
    return "" if setting("first_guess") else "specialist"


def asked_in_round(number):
    """What prompt is told to ask about in a round, as words of a shell."""
    network = before_round(number)
    if network:
        return shlex.quote(artifact(network))
    return shlex.join(["--first-guess", *words("first_guess")])


def scored(name):
    """The checkpoint behind a score."""
    return f"{name}/student" if name.startswith("round-") else name
