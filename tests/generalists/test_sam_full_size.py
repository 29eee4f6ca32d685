"""The published architectures at full size, with random weights in genuine .pth files."""

import gc
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor, sam_model_registry

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.sam import SegmentAnything
from samssl_cli.generalists.sam_weights import identify_sam, load_sam
from samssl_cli.generalists.state_dict import read_state_dict
from samssl_cli.prompts.types import Box, Points, Prompt

NUM_PARAMETERS = {"vit_b": 93_735_728, "vit_l": 312_343_088, "vit_h": 641_090_864}
SHAPE = (40, 30, 3)
CLICK = Points(np.array([[18, 15, 1]]), np.array([True]))
ASKED = Prompt(CLICK, Box((10, 8, 1), (30, 24, 2)))

pytestmark = pytest.mark.slow


def _file(folder: Path, name: str) -> Path:
    """Weights as `segment_anything` makes them, and as its authors save theirs."""
    num_bytes = 4 * NUM_PARAMETERS[name]
    if shutil.disk_usage(folder).free < 1.5 * num_bytes:
        pytest.skip(f"{name} needs {num_bytes / 1e9:.1f} GB of disk")
    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    model = sam_model_registry[name]()
    with torch.no_grad():  # positions start at zero: give them something to get wrong
        for key, parameter in model.named_parameters():
            if "pos" in key:
                parameter.normal_(std=0.02)
    torch.save(model.state_dict(), path)
    return path


def _loaded_by_its_authors(path: Path, name: str) -> Any:
    with torch.device("meta"):
        model = sam_model_registry[name]()
    model.load_state_dict(torch.load(path, mmap=True, weights_only=True), assign=True)
    for buffer in ("pixel_mean", "pixel_std"):
        values = {"pixel_mean": [123.675, 116.28, 103.53], "pixel_std": [58.395, 57.12, 57.375]}
        setattr(model, buffer, torch.tensor(values[buffer]).view(-1, 1, 1))
    return model.eval()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NUM_PARAMETERS)
def test_a_size_is_identified_and_answers_as_its_authors_code_does(name, tmp_path):
    path = _file(tmp_path, name)
    image = np.random.default_rng(0).normal(size=(1, *SHAPE)).astype(np.float32)

    facts = identify_sam(path)
    gc.collect()
    generalist = SegmentAnything.build({"architecture": name}, checkpoint=path, device="cpu")
    seen = generalist.embed(image, (1.0, 1.0, 1.0))
    proposal = generalist.segment(seen, [ASKED])
    picture = seen.views([])[0].pictures.picture(1)
    del generalist, seen
    gc.collect()
    reference = SamPredictor(_loaded_by_its_authors(path, name))
    reference.set_image(picture)
    reference.features = reference.features.half().float()  # as they are kept
    expected, rated, _ = reference.predict(
        np.array([[21.0, 14.0]]), np.array([1]), np.array([10.0, 6, 29, 21]), None, False, True
    )

    assert facts.model == f"Segment Anything or MedSAM, {name}"
    assert facts.num_parameters == NUM_PARAMETERS[name]
    answered = proposal.logits[0, :, :, 1].T[::-1, ::-1]
    assert np.ptp(expected[0]) > 0.1  # there is something to get wrong
    np.testing.assert_allclose(answered, expected[0], atol=1e-3)
    np.testing.assert_allclose(proposal.predicted_iou, np.clip(rated, 0, 1), atol=1e-3)
    path.unlink()  # 2.6 GB for ViT-H


@pytest.fixture(scope="module")
def vit_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file(tmp_path_factory.mktemp("weights"), "vit_b")


def test_a_file_like_medsams_loads_the_same_way(vit_b, tmp_path):
    """MedSAM publishes a bare state dict; what its training saves is wrapped."""
    weights = read_state_dict(vit_b, published="")
    wrapped = tmp_path / "medsam_model_best.pth"
    torch.save({"model": {f"module.{k}": v for k, v in weights.items()}, "epoch": 3}, wrapped)

    medsam = SegmentAnything.build({"preprocessing": "medsam"}, checkpoint=wrapped, device="cpu")

    loaded = medsam._predictor._sam.state_dict()
    assert medsam._predictor.framing_name == "medsam"
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)


def test_a_truncated_file_is_refused_in_one_line(vit_b, tmp_path):
    short = tmp_path / "short.pth"
    with vit_b.open("rb") as whole, short.open("wb") as part:
        shutil.copyfileobj(whole, part)
        part.truncate(part.tell() - 1000)

    with pytest.raises(WeightsError, match="not readable as weights") as caught:
        load_sam(short, device="cpu")
    assert "\n" not in str(caught.value)


def test_another_size_than_the_one_named_is_refused_in_one_line(vit_b):
    with pytest.raises(WeightsError, match=r"missing.*of another shape.*to auto") as caught:
        load_sam(vit_b, device="cpu", architecture="vit_l")
    assert "\n" not in str(caught.value)
