"""What it took to find the answer."""

from sql_env.scoring.rubric import without_rows
from sql_env.types import Rollout


@without_rows
def turns(rollout: Rollout, *, cost: float = 0.0, free: int = 0) -> float:
    """Charge for each turn before the answer.

    Queries that were not run, because none were left, are turns too.

    Args:
        rollout: What is judged.
        cost: What a turn costs. Keep it small against what a right answer is paid beside a wrong
            one, or it does not pay to look.
        free: Turns that cost nothing.

    Returns:
        0 or less.
    """
    return -cost * max(0, len(rollout.turns) - free) or 0.0
