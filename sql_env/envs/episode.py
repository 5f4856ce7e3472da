"""The episode of one task. Gymnasium, TRL and verl are thin adapters around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sql_env.errors import EpisodeError
from sql_env.limits import check_integer
from sql_env.parser import parse
from sql_env.prompts.observation import ResultView, wrap_observation
from sql_env.prompts.prompt import Prompt, PromptBudget, build_prompt, join_messages
from sql_env.prompts.template import Message, Template
from sql_env.scoring.scorer import Scorer
from sql_env.types import ExecutionResult, Query, Score, Task, Turn, Value

MAX_RESULTS = 8
"""The most results of exploring queries in memory at a time, or one for each worker if there are more. Each
has up to ``Limits.max_bytes``."""

MAX_KEPT = 1_000
"""The most characters or bytes that a turn keeps of a value."""


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of one completion.

    Attributes:
        observation: The text that the model reads next; empty at the end of the episode.
        score: The score of the episode; None before its end.
    """

    observation: str
    score: Score | None = None

    @property
    def done(self) -> bool:
        """True if the episode is over."""
        return self.score is not None


class Episode:
    """One task, the queries that explore its database, and the answer.

    If a completion explores (see `sql_env.parser.parse`), its query runs and the model reads the result.
    Any other completion is the answer and ends the episode. The completion of the last turn always ends
    it: a query there does not run and is scored as malformed.

    Queries run under the scorer's limits. If a query fails, is denied or takes too long, the model reads
    that, and a turn is used. If the database or a worker fails, the score is masked.

    Args:
        scorer: Runs the queries and scores the answer.
        task: The task.
        max_turns: The maximum number of completions, including the answer. With 1 the model cannot explore.
        max_queries: The maximum number of queries. Each further query uses a turn and does not run. None
            means that only ``max_turns`` limits them.
        template: The prompt template; see `sql_env.prompts.template.get_template`.
        budget: The maximum size of the prompt; None for no limit.
        view: How much of a result the model sees.
        built_prompt: The prompt of this task, if it was built before.

    Raises:
        LimitError: ``max_turns`` or ``max_queries`` is out of range.

    Example:
        >>> from benchmarks.demo import demo
        >>> with Scorer("sql-r1") as scorer:
        ...     episode = Episode(scorer, demo(split="test").tasks[0], max_turns=3)
        ...     print(episode.step("<think>A look.</think><sql>SELECT 1 AS one</sql>").observation)
        ...     episode.step("I give up.").score.components["format"]
        <observation>
        one
        1
        (1 row)
        Turns left: 2.
        </observation>
        -1.0
    """

    def __init__(
        self,
        scorer: Scorer,
        task: Task,
        *,
        max_turns: int = 1,
        max_queries: int | None = None,
        template: str | Template = "full",
        budget: PromptBudget | None = None,
        view: ResultView = ResultView(),  # noqa: B008 - frozen
        built_prompt: Prompt | None = None,
    ) -> None:
        check_turns(max_turns, max_queries)
        self.scorer = scorer
        self.task = task
        self.max_turns = max_turns
        self.max_queries = max_turns - 1 if max_queries is None else max_queries
        self.view = view
        self.turns: tuple[Turn, ...] = ()
        self.score: Score | None = None
        self._template = template
        self._budget = budget
        self._given_prompt = built_prompt

    @cached_property
    def built_prompt(self) -> Prompt:
        """The prompt, and what its budget has left out.

        Raises:
            DatabaseError: The database cannot be read.
            FormatError: No template has this name.
        """
        return self._given_prompt or build_prompt(
            self.task,
            self.scorer.executor,
            self.scorer.rubric.form,
            self._template,
            self.max_turns,
            self._budget,
        )

    @property
    def prompt(self) -> str:
        """The prompt as one text."""
        return join_messages(self.built_prompt.messages)

    @property
    def messages(self) -> list[Message]:
        """The chat so far: the prompt, then the completion and observation of each turn that has a text."""
        chat = [message.copy() for message in self.built_prompt.messages]
        for turn in self.turns:
            if turn.completion:
                chat.append(Message(role="assistant", content=turn.completion))
                chat.append(Message(role="user", content=turn.observation))
        return chat

    @property
    def done(self) -> bool:
        """True if the episode is over."""
        return self.score is not None

    @property
    def turns_left(self) -> int:
        """The number of completions that are left, including the answer."""
        return 0 if self.done else max(1, self.max_turns - len(self.turns))

    @property
    def queries_left(self) -> int:
        """The number of queries that can still run."""
        ran = sum(turn.result is not None for turn in self.turns)
        return max(0, min(self.max_queries - ran, self.turns_left - 1))

    def step(self, completion: str) -> Step:
        """Take a completion: run its query, or score it as the answer.

        Raises:
            EpisodeError: The episode is over.
            RewardError: A reward is broken.
        """
        return step([self], [completion])[0]

    def query(self, sql: str) -> str:
        """Run the query of a tool call and return the observation. It uses a turn.

        A tool call never ends the episode. If no turn is left for it, its query does not run.

        Raises:
            EpisodeError: The episode is over.
        """
        self._check_open()
        return _explore([(self, "", sql)])[0]

    def answer(self, completion: str) -> Score:
        """End the episode with this completion, even if turns are left.

        Raises:
            EpisodeError: The episode is over.
            RewardError: A reward is broken.
        """
        return answer([self], [completion])[0]

    def _parse_query(self, completion: str) -> str | None:
        """Return the query with which a completion explores; None if the completion ends the episode."""
        self._check_open()
        if self.turns_left == 1:
            return None
        return parse(completion, self.scorer.rubric.form, tools=True).query

    def _add_turn(self, completion: str, sql: str, result: ExecutionResult | None) -> str:
        """Add a turn and return its observation. The result is None if the query did not run."""
        turns_left, queries_left = max(1, self.turns_left - 1), max(0, self.queries_left - 1)
        text = "Not run: no queries are left." if result is None else self.view(result)
        observation = wrap_observation(text, turns_left, queries_left)
        row_count = 0
        if result is not None:
            row_count = len(result.rows)
            # All rows, or long values, would fill the memory.
            rows = tuple(tuple(map(_cut_value, row)) for row in result.rows[: self.view.rows])
            result = replace(result, rows=rows)
        self.turns += (Turn(completion, sql, result, observation, row_count),)
        return observation

    def _check_open(self) -> None:
        if self.done:
            raise EpisodeError("the episode is over: begin another")


def step(episodes: Sequence[Episode], completions: Sequence[str]) -> list[Step]:
    """Step episodes that share a scorer, each with its completion.

    All queries that explore run in one batch. All answers are scored in one batch.

    Raises:
        EpisodeError: An episode is over.
        RewardError: A reward is broken.
    """
    pairs = list(zip(episodes, completions, strict=True))
    queries = [episode._parse_query(completion) for episode, completion in pairs]
    if not any(queries):
        return [Step("", score) for score in answer(episodes, completions)]
    answers = [pair for pair, sql in zip(pairs, queries, strict=True) if sql is None]
    explorations = [(*pair, sql) for pair, sql in zip(pairs, queries, strict=True) if sql is not None]
    scores = iter(answer([episode for episode, _ in answers], [completion for _, completion in answers]))
    observations = iter(_explore(explorations))
    return [Step("", next(scores)) if sql is None else Step(next(observations)) for sql in queries]


def answer(episodes: Sequence[Episode], completions: Sequence[str]) -> list[Score]:
    """End episodes that share a scorer, each with its completion, in one batch.

    Raises:
        EpisodeError: An episode is over.
        RewardError: A reward is broken.
    """
    for episode in episodes:
        episode._check_open()
    if not episodes:
        return []
    scores = episodes[0].scorer.score(
        completions,
        [episode.task for episode in episodes],
        [episode.turns if episode.max_turns > 1 else None for episode in episodes],
    )
    for episode, score in zip(episodes, scores, strict=True):
        episode.score = score
    return scores


def _explore(explorations: Sequence[tuple[Episode, str, str]]) -> list[str]:
    """Run the query of each episode that has queries left, and return the observations.

    Args:
        explorations: Episodes that share a scorer, each with its completion and the query.
    """
    queries = [
        Query(episode.task.database, sql, episode.task.dialect) if episode.queries_left else None
        for episode, _, sql in explorations
    ]
    executor = explorations[0][0].scorer.executor
    distinct = [query for query in dict.fromkeys(queries) if query is not None]
    size = max(MAX_RESULTS, executor.workers)
    observations = [""] * len(queries)
    for start in range(0, max(1, len(distinct)), size):
        some = distinct[start : start + size]
        results: dict[Query | None, ExecutionResult | None] = dict(
            zip(some, executor.run_many(some), strict=True)
        )
        if not start:
            results[None] = None
        for place, query in enumerate(queries):
            if query in results:
                episode, completion, sql = explorations[place]
                observations[place] = episode._add_turn(completion, sql, results[query])
    return observations


def _cut_value(value: Value) -> Value:
    return value[:MAX_KEPT] if isinstance(value, str | bytes) else value


def check_turns(max_turns: int, max_queries: int | None) -> None:
    """Check the maximum numbers of turns and of queries.

    Raises:
        LimitError: One of them is out of range.
    """
    check_integer("max_turns", max_turns)
    if max_queries is not None:
        check_integer("max_queries", max_queries, minimum=0)
