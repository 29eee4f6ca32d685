"""What a machine has for samssl: one group of checks per file, one row per group.

This table is readable without torch. A row's function takes the folders that artifacts will be
written to and yields findings (`finding.py`) as it comes by them, so that one which dies on the way
has told what it saw. `alone.py` runs it in a process of its own.
"""

from samssl_cli.registry import Entry

CHECKS: dict[str, Entry] = {
    "python": Entry(
        "samssl_cli.checkup.python:check_python",
        "the interpreter, and samssl itself",
        "pyproject.toml, requires-python",
    ),
    "packages": Entry(
        "samssl_cli.checkup.packages:check_packages",
        "the packages that samssl needs, and its extras: their versions, and whether they import",
        "pyproject.toml, dependencies",
    ),
    "torch": Entry(
        "samssl_cli.checkup.torch:check_torch",
        "the build of PyTorch, and every device that it finds",
        "docs/gpu.md",
    ),
    "torchvision": Entry(
        "samssl_cli.checkup.torchvision:check_torchvision",
        "whether torchvision fits torch, or its operators are stood in for; segment-anything",
        "samssl_cli/generalists/torchvision_shim.py",
    ),
    "processor": Entry(
        "samssl_cli.checkup.processor:check_processor",
        "cores of the machine, cores for this process, threads",
        "samssl_cli/stages/device.py",
    ),
    "memory": Entry(
        "samssl_cli.checkup.memory:check_memory",
        "memory, its limit, and the shared memory that worker processes need",
        "samssl_cli/stages/workers.py",
    ),
    "weights": Entry(
        "samssl_cli.checkup.weights:check_weights",
        "which published weights are in the weights folder",
        "docs/weights.md",
    ),
    "places": Entry(
        "samssl_cli.checkup.places:check_places",
        "the folder for temporary files, and that of --embeddings",
        "docs/weights.md",
    ),
    "folder": Entry(
        "samssl_cli.checkup.folder:check_folders",
        "where artifacts go: writable, room, locks, renaming",
        "docs/artifacts.md",
    ),
    "programs": Entry(
        "samssl_cli.checkup.programs:check_programs",
        "what the pipelines need: GNU make, Slurm, Snakemake",
        "pipelines/Makefile, docs/slurm.md",
    ),
}
