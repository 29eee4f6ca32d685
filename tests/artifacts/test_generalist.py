import numpy as np
import pytest

from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import GeneralistWeights, write_generalist
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import MissingArtifactError

PLAN = Plan("generalist", "pretrain-scout", {}, seed=0, inputs={})
TENSORS = {"w": np.arange(6, dtype=np.float16).reshape(2, 3), "n": np.array(7, np.int64)}
CURVES = {"dice": np.array([0.5, 0.25], np.float32)}


@pytest.fixture
def weights(tmp_path):
    with open_draft(tmp_path / "scout.zarr", PLAN, force=False) as draft:
        write_generalist(draft.root, TENSORS, CURVES)
        draft.seal({"generalist": "scout"})
    return tmp_path / "scout.zarr"


def test_weights_and_curves_come_back(weights):
    back = GeneralistWeights(weights)
    assert back.name == "scout"
    assert back.fingerprint == PLAN.fingerprint
    tensors = back.tensors()
    assert tensors.keys() == TENSORS.keys()
    for name, expected in TENSORS.items():
        assert tensors[name].dtype == expected.dtype
        np.testing.assert_array_equal(tensors[name], expected)
    np.testing.assert_array_equal(back.curves()["dice"], CURVES["dice"])


def test_another_kind_is_refused(sealed):
    made_by = r"expected generalist, as made by samssl adapt or samssl pretrain-scout"
    with pytest.raises(MissingArtifactError, match=rf"holds prompts .*, {made_by}"):
        GeneralistWeights(sealed)
