"""Several turns in TRL: the model calls a tool to run SQL, and answers in its last message.

TRL's ``environment_factory`` makes an environment for each rollout and offers its public methods to
the model as tools. A `gymnasium.Env` would offer ``close``, ``render`` and ``step`` too. So TRL gets
`SQLTools`, which offers one method, around the same `sql_env.Episode`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

from sql_env import Episode, Score, Scorer, Task
from sql_env.envs.episode import answer, check_turns
from sql_env.errors import ArgumentError, LimitError, TaskError
from sql_env.parser import ResponseFormat
from sql_env.prompts.observation import ResultView
from trainers.logs.rollouts import RolloutWriter
from trainers.trl_adapter.rewards import Reward, compute_metrics, extract_text, make_component_functions

REASONING = ("reasoning_content", "thinking")
"""Keys under which chat templates put the text that the model wrote between its tags of reasoning."""


class SQLTools:
    """An episode with the methods that TRL uses: ``reset``, and ``run_sql`` as the only tool.

    Args:
        scorer: Runs the queries and scores the answer.
        turns: Arguments of `sql_env.Episode`.

    Attributes:
        episode: The episode since the last reset.
    """

    episode: Episode

    def __init__(self, scorer: Scorer, **turns: Any) -> None:
        self._scorer, self._turns = scorer, turns

    def reset(self, **row: Any) -> str:
        """Begin the episode of a dataset row.

        Returns:
            An addition to the prompt: how to explore the database.

        Raises:
            TaskError: The row has no column ``task``.
        """
        if "task" not in row:
            raise TaskError(
                "the dataset has no column 'task': make it with trainers.dataset.make_grpo_dataset"
            )
        self.episode = Episode(self._scorer, Task.from_json(row["task"]), **self._turns)
        return (
            "\n\nBefore you answer you may look around in the database: call run_sql, "
            f"{self.episode.queries_left} times at most. Answer in a message without a call."
        )

    def run_sql(self, query: str) -> str:
        """Run a SQL query on the database of the question and read its result.

        Args:
            query: One SELECT statement.

        Returns:
            The first rows, or what is wrong with the query.
        """
        if not isinstance(query, str):
            raise TypeError(f"query must be a string, not {query!r}")
        return self.episode.query(query)


def check_chat_template(tokenizer: Any) -> None:
    """Check that TRL can read the tool calls of a model, before a trainer is made.

    Raises:
        ArgumentError: The tokenizer has no chat template, or one whose calls TRL cannot read.
    """
    from trl.chat_template_utils import add_response_schema

    names = ("response_template", "response_schema")
    if any(getattr(tokenizer, name, None) is not None for name in names):
        return
    try:
        add_response_schema(deepcopy(tokenizer))
    except ValueError:
        raise ArgumentError(
            "--max_turns above 1 needs a model whose chat template TRL knows, such as those of Qwen 2.5, "
            "Qwen 3, Llama 3.1 and gpt-oss, unchanged; or a tokenizer with a response_schema of its own. "
            "With --max_turns 1 every model can be trained"
        ) from None


def make_environment_arguments(
    scorer: Scorer,
    config: Any,
    *,
    max_turns: int = 5,
    max_queries: int | None = None,
    view: ResultView = ResultView(),  # noqa: B008 - frozen
    rollouts: RolloutWriter | None = None,
) -> dict[str, Any]:
    """Make the arguments of TRL's `GRPOTrainer` that let the model explore before it answers.

    The dataset needs chat messages as prompts and a column ``task``, as `trainers.dataset.make_grpo_dataset`
    makes it: TRL repeats a row for its group, so that a group never mixes tasks.

    Args:
        scorer: Runs the queries and scores the answers.
        config: `trl.GRPOConfig`; its ``max_tool_calling_iterations`` is set if it is None.
        max_turns: Messages of the model at most, if it calls one tool in each.
        max_queries: Queries at most; None for no limit but the turns.
        view: The part of a result that the model reads.
        rollouts: Writes some of the rollouts to disk; None for none.

    Raises:
        LimitError: ``max_turns`` or ``max_queries`` is out of range, or the configuration's trainer has
            no environments.
    """
    check_turns(max_turns, max_queries)
    if not hasattr(config, "max_tool_calling_iterations"):
        raise LimitError(f"max_turns must be 1: the trainer of {type(config).__name__} has no environments")
    if config.max_tool_calling_iterations is None:
        config.max_tool_calling_iterations = max(1, max_turns - 1)
    factory = partial(SQLTools, scorer, max_turns=max_turns, max_queries=max_queries, view=view)
    return {"environment_factory": factory, "reward_funcs": make_environment_rewards(scorer, rollouts)}


def make_environment_rewards(scorer: Scorer, rollouts: RolloutWriter | None = None) -> list[Reward]:
    """Make one reward function for each component, as `trainers.trl_adapter.rewards` does.

    They read the environments. The model's last messages end the episodes, in one batch.
    """
    return make_component_functions(scorer, _end_episodes, _compute_metrics, rollouts)


def extract_answer(messages: Sequence[Mapping[str, Any]], form: ResponseFormat) -> str:
    """Return the text of the model's last message, with the reasoning that a chat template has taken out.

    It is empty if the last message is no answer: a call without a following message, or its result.
    """
    last = messages[-1] if messages else {}
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return ""
    reasoning = next((last[key] for key in REASONING if last.get(key)), "")
    thought = f"<{form.think}>\n{reasoning}\n</{form.think}>\n" if reasoning and form.think else ""
    return thought + extract_text([last])


def _compute_metrics(scores: Sequence[Score]) -> dict[str, float]:
    turns = 1 + sum(len(score.rollout.turns) for score in scores) / len(scores)
    return {**compute_metrics(scores), "sql/turns": turns}


def _end_episodes(
    completions: Sequence[Sequence[Mapping[str, Any]]], environments: Sequence[SQLTools], **others: Any
) -> list[Score]:
    """Return the scores of the environments' episodes. Open ones end first, all in one batch."""
    episodes = [environment.episode for environment in environments]
    ends = [(e, extract_answer(c, e.scorer.rubric.form)) for e, c in zip(episodes, completions, strict=True)]
    still_open = [(episode, text) for episode, text in ends if not episode.done]
    answer([episode for episode, _ in still_open], [text for _, text in still_open])
    return [episode.score for episode in episodes if episode.score is not None]
