"""Sound inputs are taken, distorted ones refused; more by `python -m tests.fuzz`."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.target import judge
from tests.fuzz.targets import TARGETS

FAST = ("nifti", "h5", "names", "recipe", "set", "weights", "embedding", "model-folder")

a_few = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", TARGETS)
def test_sound_inputs_are_taken(name, warm):
    target = warm(name)
    for data in target.examples()[:1]:
        verdict = judge(target, data)
        assert verdict.is_fine, verdict
        assert not verdict.told, verdict


@pytest.mark.parametrize("name", TARGETS)
def test_distorted_inputs_keep_to_the_rules(name, warm):
    target = warm(name)

    @a_few
    @given(st.integers(0, 2**32), st.integers(1, 4))
    def distort(seed, times):
        rng = random.Random(seed)
        data = rng.choice(target.examples())
        for _ in range(times):
            data = target.mutated(data, rng)
        verdict = judge(target, data)
        assert verdict.is_fine, (data, verdict)

    distort()


@pytest.mark.parametrize("name", [name for name in FAST if name in TARGETS])
def test_any_bytes_keep_to_the_rules(name, warm):
    target = warm(name)

    @a_few
    @given(st.binary(max_size=600))
    def read(data):
        verdict = judge(target, data)
        assert verdict.is_fine, (data, verdict)

    read()
