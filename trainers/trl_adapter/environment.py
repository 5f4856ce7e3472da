"""Several turns in TRL: the model calls a tool to run SQL, and answers in its last message.

TRL's ``environment_factory`` makes an environment for each rollout and offers its public methods to
the model as tools, ``close``, ``render`` and ``step`` of a `gymnasium.Env` among them. So TRL is
handed `SQLTools`, which has one method to offer, around the same `sql_env.Episode`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sql_env import Episode, Score, Scorer, Task
from sql_env.envs.episode import answer, check_turns
from sql_env.errors import LimitError, TaskError
from sql_env.parser import ResponseFormat
from sql_env.prompts.observation import ResultView
from trainers.logs.rollouts import Rollouts
from trainers.logs.scoring_stats import StepStats
from trainers.trl_adapter.rewards import Reward, metrics, text

REASONING = ("reasoning_content", "thinking")
"""Where chat templates put what the model wrote between its tags of reasoning."""


class SQLTools:
    """What TRL sees of an episode: ``reset``, and ``run_sql`` as the only tool.

    Args:
        scorer: Runs the queries and scores the answer.
        turns: Arguments of `sql_env.Episode`.

    Attributes:
        episode: The episode since the last reset.
    """

    episode: Episode

    def __init__(self, scorer: Scorer, **turns: Any) -> None:
        self._scorer = scorer
        self._turns = turns

    def reset(self, **row: Any) -> str:
        """Begin the episode of a dataset row.

        Returns:
            What is added to the prompt: how to look around.

        Raises:
            TaskError: The row has no column ``task``.
        """
        if "task" not in row:
            raise TaskError("the dataset has no column 'task': make it with trainers.dataset.grpo_dataset")
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


def several_turns(
    scorer: Scorer,
    config: Any,
    *,
    max_turns: int = 5,
    max_queries: int | None = None,
    view: ResultView = ResultView(),  # noqa: B008 - frozen
    rollouts: Rollouts | None = None,
) -> dict[str, Any]:
    """The arguments of TRL's `GRPOTrainer` that let the model look around before it answers.

    The dataset needs chat messages as prompts and a column ``task``, as `trainers.dataset.grpo_dataset`
    makes it: TRL repeats a row for its group, so that a group never mixes tasks.

    Args:
        scorer: Runs the queries and scores the answers.
        config: `trl.GRPOConfig`; its ``max_tool_calling_iterations`` is set, unless it is already.
        max_turns: Messages of the model at most, if it calls one tool in each.
        max_queries: Queries at most; None for no limit but the turns.
        view: How much of a result the model is shown.
        rollouts: Keeps some of the answers, where it is given.

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
    return {"environment_factory": factory, "reward_funcs": environment_rewards(scorer, rollouts)}


def environment_rewards(scorer: Scorer, rollouts: Rollouts | None = None) -> list[Reward]:
    """One reward function for each component of the rubric, as `trainers.trl_adapter.rewards` has them.

    They read the environments, whose episodes they end in one batch with the model's last message.
    """
    names, stats = [reward.name for reward in scorer.rubric.rewards], StepStats(scorer)
    return [_function(name, rollouts, stats if name == names[0] else None) for name in names]


def said(messages: Sequence[Mapping[str, Any]], form: ResponseFormat) -> str:
    """The text of the model's last message, with the reasoning that a chat template has taken out.

    Empty where it is no answer: a call that was not followed by a message, or the result of one.
    """
    last = messages[-1] if messages else {}
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return ""
    reasoning = next((last[key] for key in REASONING if last.get(key)), "")
    thought = f"<{form.think}>\n{reasoning}\n</{form.think}>\n" if reasoning and form.think else ""
    return thought + text([last])


def _function(name: str, rollouts: Rollouts | None, stats: StepStats | None) -> Reward:
    def component(
        completions: Sequence[Sequence[Mapping[str, Any]]],
        environments: Sequence[SQLTools],
        log_metric: Callable[[str, float], None] | None = None,
        trainer_state: Any = None,
        **others: Any,
    ) -> list[float | None]:
        scores = _ended(environments, completions)
        if stats and rollouts is not None and trainer_state is not None:
            rollouts.add(scores, trainer_state.global_step + 1)
        if stats and log_metric is not None:
            turns = 1 + sum(len(score.rollout.turns) for score in scores) / len(scores)
            for metric, value in {**metrics(scores), "sql/turns": turns, **stats()}.items():
                log_metric(metric, value)
        return [score.components[name] for score in scores]

    component.__name__ = component.__qualname__ = name
    return component


def _ended(
    environments: Sequence[SQLTools], completions: Sequence[Sequence[Mapping[str, Any]]]
) -> list[Score]:
    """The scores of the environments' episodes; those that are open are ended first."""
    episodes = [environment.episode for environment in environments]
    ends = [(e, said(c, e.scorer.rubric.form)) for e, c in zip(episodes, completions, strict=True)]
    still_open = [(episode, text) for episode, text in ends if not episode.done]
    answer([episode for episode, _ in still_open], [text for _, text in still_open])
    return [episode.score for episode in episodes if episode.score is not None]
