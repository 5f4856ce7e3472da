"""Score a stream of completions with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from sql_env.scoring.scorer import Scorer
from sql_env.types import Score, Task


def score_stream(
    scorer: Scorer, pairs: Iterable[tuple[str, Task]], *, batch: int = 1024, ahead: int = 2
) -> Iterator[Score]:
    """Score completions one batch after another, and yield the scores in the same order.

    At most ``batch`` times ``ahead`` pairs are read beyond the last score. While one batch is parsed or
    rewarded, another runs.

    Args:
        scorer: The scorer. On a cluster use batches of about a hundred pairs for each worker.
        pairs: Completions, each with its task. The stream may be endless.
        batch: The number of pairs in a batch. Equal queries of a batch run once.
        ahead: The number of batches in progress.

    Raises:
        ValueError: ``batch`` or ``ahead`` is not positive.
        RewardError: A reward is broken.
        ClosedError: The scorer is closed.

    Example:
        >>> from benchmarks.demo import demo
        >>> tasks = demo(split="test").tasks
        >>> with Scorer("sql-r1") as scorer:
        ...     scores = score_stream(scorer, ((task.gold_sql, task) for task in tasks), batch=64)
        ...     sum(score.components["format"] for score in islice(scores, 100))
        -100.0
    """
    if batch < 1 or ahead < 1:
        raise ValueError(f"batch and ahead must be positive, not {batch} and {ahead}")
    feed = iter(pairs)
    under_way: deque[Future[list[Score]]] = deque()
    with ThreadPoolExecutor(ahead) as threads:
        while part := list(islice(feed, batch)):
            completions, tasks = zip(*part, strict=True)
            under_way.append(threads.submit(scorer.score, completions, tasks))
            if len(under_way) == ahead:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
