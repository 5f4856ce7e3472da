"""The reward for the length of a right answer, and for its share of SQL."""

from sql_env.plugins import import_typed
from sql_env.scoring.reward import without_rows
from sql_env.types import Rollout


@without_rows
def length(rollout: Rollout, *, max_length: int = 2048, count: str = "", collapse: bool = False) -> float:
    """Reward a correct completion for its length and for the share of SQL in its answer.

    SQL-R1, equation 5 (arXiv 2504.08600): for a correct result, S_l is 0.5 S_tl + S_al while the
    response is no longer than ``max_length``, and 0.5 + S_al beyond; else 0. S_tl is the length of
    reasoning and answer over ``max_length``, S_al that of the SQL over that of the answer. The
    paper's text says that a response beyond the maximum is penalised; its formula gives the maximum.

    Args:
        rollout: The rollout.
        max_length: The paper's MAX.
        count: The measure of a text, as ``package.module:function`` from str to int (for example a
            tokenizer's count of tokens); where empty, characters, as in the released code.
        collapse: Measure the SQL with its white space collapsed, as the released code does.

    Returns:
        A number from 0 to 1.5.
    """
    if not rollout.correct or rollout.action.sql is None:
        return 0.0
    measure = import_typed(count) if count else len
    sql = " ".join(rollout.action.sql.split()) if collapse else rollout.action.sql
    answer = max(1, measure(rollout.action.answer))
    response = measure(rollout.action.reasoning) + answer
    share_of_sql = measure(sql) / answer
    return 0.5 * min(1.0, response / max_length) + share_of_sql
