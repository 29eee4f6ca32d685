"""What `retrain` leaves out of the pseudo-labels: whole cases that are the least reliable."""

from dataclasses import dataclass
from typing import Any

from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.errors import UsageError
from samssl_cli.recipe import Retrain

_NOBODY = "none"  # in the table of generalists, which may lack a row that pseudo-labels name


@dataclass(frozen=True)
class Selection:
    """The pseudo-labeled cases that are learned from, and those that are not."""

    rank_by: str
    kept: dict[str, float]
    """Name to score, in the order of the pseudo-labels."""
    left_out: dict[str, float]
    """The same, the least reliable first."""

    def to_json(self) -> dict[str, Any]:
        """What the student's checkpoint says of it."""
        return {"rank_by": self.rank_by, "kept": self.kept, "left_out": self.left_out}

    def in_words(self) -> str:
        """Which cases were left out, in a sentence."""
        total = len(self.kept) + len(self.left_out)
        named = ", ".join(f"{name} ({score:.3f})" for name, score in self.left_out.items())
        return (
            f"learning from {len(self.kept)} of {total} pseudo-labeled cases; left out for their "
            f"{self.rank_by}: {named or 'none'}"
        )


def check_rankable(pseudo: PseudoLabels, options: Retrain) -> None:
    """Raise a `UsageError` when cases are to be ranked by the agreement with nobody."""
    is_ranked = options.keep_fraction < 1 and options.rank_by == "agreement"
    if is_ranked and pseudo.asked == (_NOBODY,):
        raise UsageError(
            f'retrain.rank_by = "agreement": nobody was asked for {pseudo.path}, so that every '
            "case agrees with itself; add --set retrain.rank_by=confidence"
        )


def select_cases(pseudo: PseudoLabels, options: Retrain) -> Selection | None:
    """Rank the cases, and keep the most reliable; None where all are kept unranked."""
    from samssl_cli.training.selection import most_reliable

    if options.keep_fraction == 1:
        return None
    scores = {name: _score(pseudo, name, options) for name in pseudo.names}
    kept = set(most_reliable(scores, options.keep_fraction))
    worst_first = reversed(most_reliable(scores, 1.0))
    return Selection(
        rank_by=options.rank_by,
        kept={name: score for name, score in scores.items() if name in kept},
        left_out={name: scores[name] for name in worst_first if name not in kept},
    )


def _score(pseudo: PseudoLabels, name: str, options: Retrain) -> float:
    from samssl_cli.training.selection import foreground_confidence, mean_agreement

    read = pseudo.read(name)  # scores are rounded, so that no machine's last bit ranks cases
    if options.rank_by == "agreement":
        return round(mean_agreement(read.objects), 6)
    return round(foreground_confidence(read.label, read.confidence, read.acceptance), 6)
