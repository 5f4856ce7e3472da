"""Score on a suite of databases: one schema with several contents, on all of which a query must be right.

A wrong query may return what the gold query returns on one database, by chance. On several it seldom
does (Zhong et al. 2020, arXiv 2010.02840). Rules of the official evaluator (taoyds/test-suite-sql-eval
e97acc5), which judges on every ``.sqlite`` file in the folder of a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from sql_env.errors import DataError
from sql_env.scoring.scorer import Scorer
from sql_env.types import Score, Task


def find_suite(task: Task, folder: str) -> tuple[Task, ...]:
    """The task on each database of its suite, the one that is called as its db_id first.

    Args:
        task: What is asked.
        folder: A folder of suites: ``<folder>/<db_id>/*.sqlite``. Spider's own folder of databases is one.

    Raises:
        DataError: There is no database.
    """
    place = Path(folder, task.db_id).absolute()
    files = sorted(place.glob("*.sqlite"), key=lambda file: (file.stem != task.db_id, file.name))
    if not files:
        raise DataError(
            f"{task.id}: its suite is missing: {str(place)!r} holds no .sqlite file. Download the suites of "
            "https://github.com/taoyds/test-suite-sql-eval, and name the folder that holds <db_id>/*.sqlite"
        )
    return tuple(replace(task, database=str(file)) for file in files)


def score_on_suites(
    scorer: Scorer, completions: Sequence[str], tasks: Sequence[Task], folder: str
) -> list[Score]:
    """What `sql_env.Scorer.score` does, with each completion judged on the whole suite of its task.

    Args:
        scorer: Scores on one database.
        completions: The model's texts, ``n`` of them.
        tasks: ``n`` tasks.
        folder: Where the suites are; see `suite`.

    Returns:
        ``n`` scores, in the same order; see `combine`. The task of each names the database that
        decided.

    Raises:
        ValueError: There are more completions than tasks, or fewer.
        DataError: The suite of a task is missing.
    """
    if len(completions) != len(tasks):
        raise ValueError(f"{len(completions)} completions for {len(tasks)} tasks: give one task for each")
    suites = {task: find_suite(task, folder) for task in dict.fromkeys(tasks)}
    variants = [suites[task] for task in tasks]
    repeated = [text for text, those in zip(completions, variants, strict=True) for _ in those]
    scores = iter(scorer.score(repeated, list(chain.from_iterable(variants))))
    return [combine_scores([next(scores) for _ in those]) for those in variants]


def combine_scores(scores: Sequence[Score]) -> Score:
    """What the scores of one completion on several databases say together.

    Masked if one is, so that a gold query that fails anywhere keeps its task out of every average;
    else wrong if one is. Of those that decide, the first is returned.

    Args:
        scores: One a database, at least one.
    """
    masked = (score for score in scores if score.masked)
    wrong = (score for score in scores if not score.rollout.correct)
    return next(chain(masked, wrong, scores))
