"""Averages over scores, and a vote among candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from sql_env.types import ExecutionResult, Rollout, Score, Status


@dataclass(frozen=True, slots=True)
class CorrectCount:
    """How many of some predictions are right. Masked ones are in neither count.

    Attributes:
        n: How many were judged.
        correct: How many of them are right.
    """

    n: int
    correct: int

    @property
    def accuracy(self) -> float | None:
        """The share that is right, 0 to 1; None of nothing."""
        return self.correct / self.n if self.n else None


def count_correct(scores: Sequence[Score]) -> CorrectCount:
    """Count the scores that are not masked, and those of them that are right."""
    judged = [bool(score.rollout.correct) for score in scores if not score.masked]
    return CorrectCount(len(judged), sum(judged))


def compute_accuracy(scores: Sequence[Score]) -> float | None:
    """Execution accuracy: the share of correct predictions, 0 to 1; None where all are masked.

    Args:
        scores: One for each prediction.

    Example:
        >>> accuracy([]) is None
        True
    """
    return count_correct(scores).accuracy


def count_by_difficulty(scores: Sequence[Score]) -> dict[str, CorrectCount]:
    """A tally for each difficulty, in the order in which they first occur."""
    levels = dict.fromkeys(score.rollout.task.difficulty for score in scores)
    return {
        level: count_correct([score for score in scores if score.rollout.task.difficulty == level])
        for level in levels
    }


def is_valid(score: Score) -> bool | None:
    """Whether a prediction runs, right or not; None where the machinery failed."""
    result = score.rollout.result
    if result is not None and result.status is Status.UNAVAILABLE:
        return None
    return result is not None and result.ok


def compute_validity(scores: Sequence[Score]) -> float | None:
    """The share of predictions that run, 0 to 1; None where nobody can tell of any.

    A completion without SQL does not run. What the gold query does is of no account.
    """
    judged = [runs for score in scores if (runs := is_valid(score)) is not None]
    return sum(judged) / len(judged) if judged else None


def mean_at_1(correct: Sequence[Sequence[bool | None]]) -> float | None:
    """What one sample scores on average: the mean over tasks of the share of samples that are right.

    Args:
        correct: For each task, whether each of its samples is right; None for a masked one, which
            does not count. A task with no other is left out.

    Example:
        >>> mean_at_1([[True, False], [None, True]])
        0.75
    """
    return pass_at_k(correct, 1)


def pass_at_k(correct: Sequence[Sequence[bool | None]], k: int) -> float | None:
    """The chance that at least one of ``k`` samples is right, 0 to 1, averaged over tasks.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1): with c of n samples
    right, 1 - C(n - c, k) / C(n, k).

    Args:
        correct: For each task, whether each of its samples is right; None for a masked one, which
            does not count. A task with no other is left out.
        k: How many samples are drawn.

    Returns:
        The mean; None where every task is left out.

    Raises:
        ValueError: ``k`` is less than 1, or some task that counts has fewer samples than ``k``.

    Example:
        >>> pass_at_k([[True, False, False, False]], 2)
        0.5
    """
    chances = [chance for chance in pass_at_k_by_task(correct, k) if chance is not None]
    return sum(chances) / len(chances) if chances else None


def pass_at_k_by_task(correct: Sequence[Sequence[bool | None]], k: int) -> list[float | None]:
    """What `pass_at_k` averages: a chance for each task, None for one that is left out.

    Raises:
        ValueError: As `pass_at_k`.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    judged = [[right for right in samples if right is not None] for samples in correct]
    if fewest := min((len(samples) for samples in judged if 0 < len(samples) < k), default=0):
        raise ValueError(f"pass@{k} needs {k} samples of each task; one has {fewest}")
    return [1 - comb(len(s) - sum(s), k) / comb(len(s), k) if s else None for s in judged]


def pick_by_vote(rollouts: Sequence[Rollout]) -> int | None:
    """The candidate whose result occurs most often, as SQL-R1 selects one (arXiv 2504.08600).

    Two results are the same if they are the same set of rows. The first candidate of the largest
    group wins; of groups equally large, the one that is seen first. Candidates without SQL, or
    whose SQL does not run, do not vote.

    Args:
        rollouts: The candidates for one task.

    Returns:
        The candidate's place, or None where nobody votes.
    """
    counts = count_votes([rollout.result for rollout in rollouts])
    most = max(counts, default=0)
    return counts.index(most) if most else None


def count_votes(results: Sequence[ExecutionResult | None]) -> list[int]:
    """How many candidates have the same result as each of them, itself among them; the rule is `vote`'s.

    Args:
        results: What the candidates for one task returned; None where there was nothing to run.

    Returns:
        A count for each; 0 for one that does not vote.
    """
    rows = [frozenset(result.rows) if result is not None and result.ok else None for result in results]
    counts = Counter(rows)
    return [0 if each is None else counts[each] for each in rows]


def is_vote_correct(rollouts: Sequence[Rollout]) -> bool | None:
    """Whether the candidate that `vote` picks is right: vote@k is the mean of this over tasks.

    Args:
        rollouts: The k candidates for one task. Masked ones do not vote.

    Returns:
        False where nobody votes; None where all candidates are masked.
    """
    counted = [rollout for rollout in rollouts if not rollout.masked]
    if not counted:
        return None
    winner = pick_by_vote(counted)
    return winner is not None and bool(counted[winner].correct)
