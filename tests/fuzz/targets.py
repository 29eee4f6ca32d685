"""Everything that samssl reads from outside, as a table."""

from tests.fuzz.artifacts import ARTIFACTS
from tests.fuzz.data_sets import DATA_SETS
from tests.fuzz.drafts import DRAFTS
from tests.fuzz.recipes import RECIPES
from tests.fuzz.target import Target
from tests.fuzz.volumes import VOLUMES
from tests.fuzz.weights import WEIGHTS

TARGETS: dict[str, Target] = VOLUMES | DATA_SETS | RECIPES | WEIGHTS | ARTIFACTS | DRAFTS
