"""What MONAI would import besides is neither imported nor lost."""

import importlib.util
import subprocess
import sys

import pytest


def run(code):
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_process_that_predicts_has_imported_no_other_package():
    run(
        "import sys; import samssl_cli.stages.specialist, samssl_cli.stages.fitting\n"
        "found = {'transformers', 'matplotlib', 'tensorboard', 'pandas'} & set(sys.modules)\n"
        "assert 'monai' in sys.modules and not found, found"
    )


def test_they_can_be_imported_afterwards():
    run(
        "import samssl_cli.networks.monai_parts, sys, matplotlib.pyplot\n"
        "assert None not in sys.modules.values()"
    )


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs transformers")
def test_what_was_imported_before_stays():
    run(
        "import transformers, sys, samssl_cli.networks.monai_parts\n"
        "assert sys.modules['transformers'] is transformers"
    )
