"""Which raw cases become cases, and in which roles."""

from dataclasses import dataclass

from samssl_cli.volumes.datasets.dataset import Dataset, RawCase
from samssl_cli.volumes.datasets.roles import Roles


@dataclass(frozen=True)
class Job:
    """What every worker has to know."""

    dataset: Dataset
    roles: Roles
    max_bytes: int

    def case(self, name: str) -> RawCase:
        """The files of a case."""
        return next(case for case in self.dataset.cases if case.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all cases that have a role."""
        return self.roles.labeled + self.roles.unlabeled + self.roles.test

    @property
    def knows_spacing(self) -> bool:
        """Whether the layout stores the size of a voxel; h5 does not, and 1 mm stands in."""
        return self.dataset.reader == "nifti"
