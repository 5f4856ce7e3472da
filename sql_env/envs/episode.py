"""One task asked and answered: the same for gymnasium, TRL and verl, which are thin around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sql_env.errors import EpisodeError, LimitError
from sql_env.parser import parse
from sql_env.prompts import prompt
from sql_env.prompts.observation import ResultView, wrap_observation
from sql_env.prompts.prompt import Prompt, PromptBudget
from sql_env.prompts.template import Message, Template
from sql_env.scoring.scorer import Scorer
from sql_env.types import ExecutionResult, Query, Score, Task, Turn


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one completion.

    Attributes:
        observation: What the model is told; empty at the end.
        score: What the episode is paid; None before its end.
    """

    observation: str
    score: Score | None = None

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self.score is not None


class Episode:
    """One task, a few queries to look around, and the answer.

    A completion that explores (see `sql_env.parser.parse`) is run, and its result told. Any other
    completion is the answer, and ends the episode; so does whatever is said in the last turn, and a
    query there is no answer: it is scored as malformed, and not run.

    Queries run under the scorer's limits. One that fails, is denied or takes too long is told to the
    model and costs a turn. Where the database or a worker fails, the score is masked.

    Args:
        scorer: Runs the queries and scores the answer.
        task: What is asked.
        max_turns: Completions at most, the answer among them; 1 leaves nothing to explore.
        max_queries: Queries at most; those beyond cost a turn too, and are not run. No limit of
            its own where None.
        template: The prompt template; see `sql_env.prompts.template.get_template`.
        budget: How large the prompt may be; None for as large as it gets.
        view: How much of a result is told.
        asked: The task as it is asked, where that has been made before.

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
        asked: Prompt | None = None,
    ) -> None:
        self.scorer = scorer
        self.task = task
        check_turns(max_turns, max_queries)
        self.max_turns = max_turns
        self.max_queries = max_turns - 1 if max_queries is None else max_queries
        self.view = view
        self.turns: tuple[Turn, ...] = ()
        self.score: Score | None = None
        self._template = template
        self._budget = budget
        self._asked = asked

    @cached_property
    def asked(self) -> Prompt:
        """The task as it is asked, and what its budget has left out.

        Raises:
            DatabaseError: The database cannot be read.
            FormatError: No template has the name that was given.
        """
        if self._asked is not None:
            return self._asked
        form = self.scorer.rubric.form
        return prompt.build_prompt(
            self.task, self.scorer.executor, form, self._template, self.max_turns, self._budget
        )

    @property
    def opening(self) -> list[Message]:
        """The chat messages that ask the task; see `asked`."""
        return self.asked.messages

    @property
    def prompt(self) -> str:
        """`opening` as one text."""
        return prompt.chat_text(self.opening)

    @property
    def messages(self) -> list[Message]:
        """The chat so far: `opening`, and what was said and told in each turn that had a text."""
        chat = [message.copy() for message in self.opening]
        for turn in self.turns:
            if turn.completion:
                chat.append(Message(role="assistant", content=turn.completion))
                chat.append(Message(role="user", content=turn.observation))
        return chat

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self.score is not None

    @property
    def turns_left(self) -> int:
        """How many completions are left, the answer among them."""
        return 0 if self.done else max(1, self.max_turns - len(self.turns))

    @property
    def queries_left(self) -> int:
        """How many queries will still be run."""
        ran = sum(turn.result is not None for turn in self.turns)
        return max(0, min(self.max_queries - ran, self.turns_left - 1))

    def step(self, completion: str) -> Step:
        """Take what the model says, whatever it says.

        Raises:
            EpisodeError: The episode is over.
            RewardError: A reward is broken.
        """
        return step([self], [completion])[0]

    def query(self, sql: str) -> str:
        """Run a query that came as a tool call, and tell its result. It costs a turn.

        It never ends the episode: once no turn is left for it, nothing runs.

        Raises:
            EpisodeError: The episode is over.
        """
        self._check_open()
        return _explore([(self, "", sql)])[0]

    def answer(self, completion: str) -> Score:
        """End the episode with this completion, however many turns are left.

        Raises:
            EpisodeError: The episode is over.
            RewardError: A reward is broken.
        """
        return answer([self], [completion])[0]

    def _query(self, completion: str) -> str | None:
        """The query that a completion explores with; None where it ends the episode."""
        self._check_open()
        if self.turns_left == 1:
            return None
        return parse(completion, self.scorer.rubric.form, tools=True).query

    def _tell(self, sql: str, completion: str, result: ExecutionResult | None) -> str:
        """Add a turn: a query and what it returned, or None where it was not run."""
        turns_left, queries_left = max(1, self.turns_left - 1), max(0, self.queries_left - 1)
        if result is None:
            told = wrap_observation("Not run: no queries are left.", turns_left, queries_left)
            self.turns += (Turn(completion, sql, None, told),)
            return told
        told = wrap_observation(self.view(result), turns_left, queries_left)
        kept = replace(result, rows=result.rows[: self.view.rows])  # all rows would pile up in memory
        self.turns += (Turn(completion, sql, kept, told, len(result.rows)),)
        return told

    def _check_open(self) -> None:
        if self.done:
            raise EpisodeError("the episode is over: begin another")


def step(episodes: Sequence[Episode], completions: Sequence[str]) -> list[Step]:
    """Go one step on with episodes that share a scorer, each with its completion.

    All queries that explore run in one batch, and all answers are scored in one.

    Raises:
        EpisodeError: One of them is over.
        RewardError: A reward is broken.
    """
    queries = [episode._query(completion) for episode, completion in zip(episodes, completions, strict=True)]
    if not any(queries):
        return [Step("", score) for score in answer(episodes, completions)]
    said = list(zip(episodes, completions, strict=True))
    answers = [one for one, sql in zip(said, queries, strict=True) if sql is None]
    looks = [(*one, sql) for one, sql in zip(said, queries, strict=True) if sql is not None]
    scores = iter(answer([episode for episode, _ in answers], [completion for _, completion in answers]))
    told = iter(_explore(looks))
    return [Step("", next(scores)) if sql is None else Step(next(told)) for sql in queries]


def answer(episodes: Sequence[Episode], completions: Sequence[str]) -> list[Score]:
    """End episodes that share a scorer, each with its completion, in one batch.

    Raises:
        EpisodeError: One of them is over.
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


def _explore(looks: Sequence[tuple[Episode, str, str]]) -> list[str]:
    """Run the query of each episode, as far as it may still run any, and tell what it returned.

    Args:
        looks: Episodes that share a scorer, each with its completion and the query.
    """
    asked = [
        Query(episode.task.database, sql, episode.task.dialect) if episode.queries_left else None
        for episode, _, sql in looks
    ]
    distinct = [query for query in dict.fromkeys(asked) if query is not None]
    found = looks[0][0].scorer.executor.run_many(distinct) if distinct else []
    results = dict(zip(distinct, found, strict=True))
    return [
        episode._tell(sql, completion, results[query] if query else None)
        for (episode, completion, sql), query in zip(looks, asked, strict=True)
    ]


def check_turns(max_turns: int, max_queries: int | None) -> None:
    """Check the two before an episode needs them.

    Raises:
        LimitError: One of them is out of range.
    """
    least = {"max_turns": (max_turns, 1)} | ({} if max_queries is None else {"max_queries": (max_queries, 0)})
    for name, (value, minimum) in least.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise LimitError(f"{name} must be an integer of at least {minimum}, not {value!r}")
