"""Score on a suite: one schema with several contents. A query must be right on all databases of the suite.

A wrong query can return the gold result on one database by chance. On several databases this is rare
(Zhong et al. 2020, arXiv 2010.02840). The rules are those of the official evaluator
(taoyds/test-suite-sql-eval e97acc5), which judges on every ``.sqlite`` file in the folder of a database.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from sql_env.errors import DataError
from sql_env.scoring.scorer import Scorer
from sql_env.types import Score, Task


def find_suite(task: Task, folder: str) -> tuple[Task, ...]:
    """Return the task on each database of its suite; the database with the name of its db_id comes first.

    Args:
        task: The task.
        folder: A folder of suites: ``<folder>/<db_id>/*.sqlite``, such as Spider's folder of databases.

    Raises:
        DataError: The suite has no database.
    """
    place = Path(folder, task.db_id).absolute()
    files = sorted(place.glob("*.sqlite"), key=lambda file: (file.stem != task.db_id, file.name))
    if not files:
        raise DataError(
            f"{task.id}: its suite is missing: {str(place)!r} has no .sqlite file. Download the suites of "
            "https://github.com/taoyds/test-suite-sql-eval, and give the folder with <db_id>/*.sqlite"
        )
    return tuple(replace(task, database=str(file)) for file in files)


def score_on_suites(
    scorer: Scorer, completions: Sequence[str], tasks: Sequence[Task], folder: str
) -> list[Score]:
    """Score completions as `sql_env.Scorer.score` does, each on the whole suite of its task.

    Args:
        scorer: A scorer.
        completions: ``n`` completions.
        tasks: ``n`` tasks.
        folder: The folder of suites; see `find_suite`.

    Returns:
        ``n`` scores in the same order; see `combine_scores`. The task of each score has the database that
        decided.

    Raises:
        ValueError: The numbers of completions and tasks differ.
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
    """Combine the scores of one completion on several databases.

    The result is the first masked score, so that a task whose gold query fails on any database enters no
    average; else the first wrong score; else the first score.

    Args:
        scores: One score for each database, at least one.
    """
    masked = (score for score in scores if score.masked)
    wrong = (score for score in scores if not score.rollout.correct)
    return next(chain(masked, wrong, scores))
