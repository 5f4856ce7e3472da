"""Average scores, and vote among candidates."""

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from math import comb

from sql_env.comparison.keys import make_byte_keys
from sql_env.types import ExecutionResult, Rollout, Row, Score


def compute_accuracy(scores: Sequence[Score]) -> float | None:
    """Return execution accuracy: the share of right predictions, 0 to 1; None if all are masked.

    Args:
        scores: One for each prediction.

    Example:
        >>> compute_accuracy([]) is None
        True
    """
    judged = [bool(score.rollout.correct) for score in scores if not score.masked]
    return sum(judged) / len(judged) if judged else None


def is_valid(score: Score) -> bool | None:
    """Return whether a prediction runs, right or wrong; None if it is masked."""
    result = score.rollout.result
    return None if score.rollout.masked else result is not None and result.ok


def compute_validity(scores: Sequence[Score]) -> float | None:
    """Return the share of predictions that run, 0 to 1; None if all are masked.

    A completion without SQL does not run.
    """
    judged = [runs for score in scores if (runs := is_valid(score)) is not None]
    return sum(judged) / len(judged) if judged else None


def mean_at_1(correct: Sequence[Sequence[bool | None]]) -> float | None:
    """Return the mean over tasks of the share of right samples.

    Args:
        correct: For each task, whether each of its samples is right; None for a masked sample, which
            does not count. A task with only masked samples is left out.

    Example:
        >>> mean_at_1([[True, False], [None, True]])
        0.75
    """
    return pass_at_k(correct, 1)


def pass_at_k(correct: Sequence[Sequence[bool | None]], k: int) -> float | None:
    """Return the probability that at least one of ``k`` samples is right, averaged over tasks.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1): with c of n samples
    right, 1 - C(n - c, k) / C(n, k).

    Args:
        correct: For each task, whether each of its samples is right; None for a masked sample, which
            does not count. A task with only masked samples is left out.
        k: The number of samples that are drawn.

    Returns:
        The mean, 0 to 1; None if every task is left out.

    Raises:
        ValueError: ``k`` is less than 1, or a task has fewer samples than ``k`` that are not masked.

    Example:
        >>> pass_at_k([[True, False, False, False]], 2)
        0.5
    """
    chances = [chance for chance in pass_at_k_by_task(correct, k) if chance is not None]
    return sum(chances) / len(chances) if chances else None


def pass_at_k_by_task(correct: Sequence[Sequence[bool | None]], k: int) -> list[float | None]:
    """Return the probability of `pass_at_k` for each task; None for a task that is left out.

    Raises:
        ValueError: See `pass_at_k`.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    judged = [[right for right in samples if right is not None] for samples in correct]
    if fewest := min((len(samples) for samples in judged if 0 < len(samples) < k), default=0):
        raise ValueError(f"pass@{k} needs {k} samples of each task, but one task has {fewest}")
    return [1 - comb(len(s) - sum(s), k) / comb(len(s), k) if s else None for s in judged]


def pick_by_vote(rollouts: Sequence[Rollout]) -> int | None:
    """Pick the candidate whose result occurs most often, as SQL-R1 does (arXiv 2504.08600).

    Two results are the same if their sets of rows are equal. The first candidate of the largest group
    wins; if several groups are equally large, the group that occurs first. Candidates without SQL, or
    whose SQL does not run, do not vote.

    Args:
        rollouts: The candidates for one task.

    Returns:
        The candidate's place; None if no candidate votes.
    """
    counts = count_votes([rollout.result for rollout in rollouts])
    most = max(counts, default=0)
    return counts.index(most) if most else None


def count_votes(results: Sequence[ExecutionResult | None]) -> list[int]:
    """Count, for each candidate, the candidates with the same result. The rules are those of `pick_by_vote`.

    Args:
        results: The results of the candidates for one task; None for a candidate without SQL.

    Returns:
        A count for each candidate, including itself; 0 if it does not vote.
    """
    digests = [_digest_set(result.rows) if result is not None and result.ok else None for result in results]
    counts = Counter(digests)
    return [0 if each is None else counts[each] for each in digests]


def _digest_set(rows: Sequence[Row]) -> bytes:
    """Return a digest that is equal for equal sets of rows, in a time without regard to their hashes."""
    return sha256(b"".join(sorted(set(make_byte_keys(rows))))).digest()


def is_vote_correct(rollouts: Sequence[Rollout]) -> bool | None:
    """Return whether the candidate that `pick_by_vote` picks is right. vote@k is its mean over tasks.

    Args:
        rollouts: The k candidates for one task. Masked ones do not vote.

    Returns:
        False if no candidate votes; None if all candidates are masked.
    """
    counted = [rollout for rollout in rollouts if not rollout.masked]
    if not counted:
        return None
    winner = pick_by_vote(counted)
    return winner is not None and bool(counted[winner].correct)
