"""The semi-supervised methods: the METHODS table."""

from dataclasses import dataclass
from typing import Literal

from samssl_cli.errors import RecipeError
from samssl_cli.networks import NETWORKS
from samssl_cli.registry import Entry, check_name


@dataclass(frozen=True)
class MethodEntry(Entry):
    """A row that also says, without importing the part, what the method learns from."""

    learns_from_unlabeled: bool
    """Whether unlabeled patches go through the student in every step."""
    needs_decoder: bool = False
    """Whether the student has to be a network that can be taken apart."""
    needs_dropout: bool = False
    """Whether it learns nothing from them without `network.dropout`."""


METHODS: dict[str, MethodEntry] = {
    "supervised": MethodEntry(
        "samssl_cli.methods.supervised:Supervised",
        "labeled patches only: the baseline that every method has to beat",
        "Milletari et al., 3DV 2016, arXiv:1606.04797 (Dice loss)",
        learns_from_unlabeled=False,
    ),
    "mean-teacher": MethodEntry(
        "samssl_cli.methods.mean_teacher:MeanTeacher",
        "agree with the moving average of one's own weights on unlabeled patches",
        "Tarvainen & Valpola, NeurIPS 2017, arXiv:1703.01780",
        learns_from_unlabeled=True,
    ),
    "uamt": MethodEntry(
        "samssl_cli.methods.uamt:UncertaintyAwareMeanTeacher",
        "mean-teacher that listens only where the teacher is certain",
        "Yu et al., MICCAI 2019, arXiv:1907.07034",
        learns_from_unlabeled=True,
    ),
    "entropy-min": MethodEntry(
        "samssl_cli.methods.entropy_min:EntropyMinimisation",
        "be decided about every voxel of the unlabeled patches",
        "Grandvalet & Bengio, NeurIPS 2004; Vu et al., CVPR 2019, arXiv:1811.12833",
        learns_from_unlabeled=True,
    ),
    "ict": MethodEntry(
        "samssl_cli.methods.ict:InterpolationConsistency",
        "mean-teacher on blends of two patches: predict the blend of the predictions",
        "Verma et al., IJCAI 2019, arXiv:1903.03825",
        learns_from_unlabeled=True,
    ),
    "cps": MethodEntry(
        "samssl_cli.methods.cps:CrossPseudoSupervision",
        "two networks that start apart, each taught the other's decisions",
        "Chen et al., CVPR 2021, arXiv:2106.01226",
        learns_from_unlabeled=True,
    ),
    "regularized-dropout": MethodEntry(
        "samssl_cli.methods.regularized_dropout:RegularizedDropout",
        "say the same whichever units drop out (needs network.dropout)",
        "R-Drop, Wu et al., NeurIPS 2021, arXiv:2106.14448",
        learns_from_unlabeled=True,
        needs_dropout=True,
    ),
    "fixmatch": MethodEntry(
        "samssl_cli.methods.fixmatch:FixMatch",
        "on strongly changed patches, hold to what was sure of weakly changed ones",
        "Sohn et al., NeurIPS 2020, arXiv:2001.07685",
        learns_from_unlabeled=True,
    ),
    "bcp": MethodEntry(
        "samssl_cli.methods.bcp:BidirectionalCopyPaste",
        "patches that are half labeled and half unlabeled, with a teacher's labels there",
        "Bai et al., CVPR 2023, arXiv:2305.00673",
        learns_from_unlabeled=True,
    ),
    "dan": MethodEntry(
        "samssl_cli.methods.dan:DeepAdversarialNetwork",
        "deceive a network that tells labeled from unlabeled segmentations",
        "Zhang et al., MICCAI 2017, doi:10.1007/978-3-319-66179-7_47",
        learns_from_unlabeled=True,
    ),
    "ad-mt": MethodEntry(
        "samssl_cli.methods.ad_mt:AlternateDiverseTeachers",
        "two teachers take turns at following the student, and settle where they differ",
        "Zhao et al., ECCV 2024, arXiv:2311.17325",
        learns_from_unlabeled=True,
    ),
    "dtc": MethodEntry(
        "samssl_cli.methods.dtc:DualTaskConsistency",
        "a second head predicts signed distances, which have to agree with the label map",
        "Luo et al., AAAI 2021, arXiv:2009.04448",
        learns_from_unlabeled=True,
        needs_decoder=True,
    ),
    "urpc": MethodEntry(
        "samssl_cli.methods.urpc:PyramidConsistency",
        "several scales of the decoder predict, and agree most where they differ least",
        "Luo et al., MICCAI 2021, arXiv:2012.07042; MedIA 2022",
        learns_from_unlabeled=True,
        needs_decoder=True,
    ),
    "cct": MethodEntry(
        "samssl_cli.methods.cct:CrossConsistency",
        "auxiliary decoders of disturbed features follow the student's prediction",
        "Ouali et al., CVPR 2020, arXiv:2003.09005",
        learns_from_unlabeled=True,
        needs_decoder=True,
    ),
    "mc-net": MethodEntry(
        "samssl_cli.methods.mc_net:MutualConsistency",
        "decoders that upsample differently learn from each other's sharpened predictions",
        "Wu et al., MICCAI 2021, arXiv:2103.02911; MC-Net+, MedIA 2022, arXiv:2109.09960",
        learns_from_unlabeled=True,
        needs_decoder=True,
    ),
}


def norm_for(method: str) -> Literal["instance", "batch"]:
    """The normalisation that goes with a method, where a recipe says "auto".

    A batch of labeled and unlabeled patches has statistics of both, and running averages that fit
    new images; those of one labeled case fit no other (docs/experiments.md has the figures).

    Raises:
        UsageError: when the table has no such method.
    """
    check_name(METHODS, method, kind="method")
    return "batch" if METHODS[method].learns_from_unlabeled else "instance"


def check_network(method: str, network: str) -> None:
    """Check that a method can train a network of the table, before either is built.

    Raises:
        UsageError: when the tables have no such method or network.
        RecipeError: when the method needs a decoder and the network has none.
    """
    check_name(METHODS, method, kind="method")
    check_name(NETWORKS, network, kind="network")
    if METHODS[method].needs_decoder and not NETWORKS[network].has_decoder:
        able = ", ".join(name for name, entry in NETWORKS.items() if entry.has_decoder)
        raise RecipeError(
            f"network.name = {network!r}: method {method} needs a network with an encoder and a "
            f"decoder; use one of {able}"
        )
