"""The reward for a completion in the response format."""

from sql_env.scoring.reward import without_rows
from sql_env.types import Rollout


@without_rows
def format(rollout: Rollout, *, good: float = 1.0, bad: float = -1.0) -> float:
    """Reward a well-formed completion; its SQL does not matter.

    SQL-R1, equation 2 (arXiv 2504.08600): S_f is 1 if the format is correct, else -1.
    """
    return good if rollout.action.well_formed else bad
