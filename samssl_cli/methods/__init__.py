"""The semi-supervised methods: the METHODS table."""

from samssl_cli.registry import Entry

METHODS: dict[str, Entry] = {
    "supervised": Entry(
        "samssl_cli.methods.supervised:Supervised",
        "labeled patches only: the baseline that every method has to beat",
        "Milletari et al., 3DV 2016, arXiv:1606.04797 (Dice loss)",
    ),
    "mean-teacher": Entry(
        "samssl_cli.methods.mean_teacher:MeanTeacher",
        "agree with the moving average of one's own weights on unlabeled patches",
        "Tarvainen & Valpola, NeurIPS 2017, arXiv:1703.01780",
    ),
    "uamt": Entry(
        "samssl_cli.methods.uamt:UncertaintyAwareMeanTeacher",
        "mean-teacher that listens only where the teacher is certain",
        "Yu et al., MICCAI 2019, arXiv:1907.07034",
    ),
}
