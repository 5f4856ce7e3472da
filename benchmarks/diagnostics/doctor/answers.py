"""Rules about answers: their format, errors and limits, and shortcuts to a right answer."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from benchmarks.diagnostics.doctor.run_items import MIN_ANSWERS, RunItems
from benchmarks.diagnostics.overlap.skeletons import normalise_sql
from benchmarks.records.finding import Finding

MAX_MALFORMED_SHARE = 0.10
"""A larger share of malformed answers is a finding."""

MAX_FAILING_SHARE = 0.20
"""A larger share of failing SQL among well-formed answers is a finding."""

MAX_STOPPED_SHARE = 0.05
"""A larger share of answers that a limit stopped, or that tried to do more than read, is a finding."""

MAX_MASKED_SHARE = 0.05
"""A larger share of masked answers is a finding."""

MAX_EMPTY_SHARE = 0.15
"""A larger share of empty results among right answers is a finding.

Of Spider's dev gold queries 5.5 % return an empty result, of BIRD's none.
"""

MIN_ONE_SQL_SHARE = 0.10
"""One query that answers this share of the distinct gold queries, and `MIN_ONE_SQL`, is a finding."""

MIN_ONE_SQL = 5

MAX_QUOTED_CHARACTERS = 100


def find_malformed_answers(run: RunItems) -> Iterator[Finding]:
    """Find a large share of answers that do not follow the response format."""
    malformed = [item for item in run.late if item.status == "malformed"]
    if _is_frequent(len(malformed), len(run.late), MAX_MALFORMED_SHARE):
        blank = sum(not item.completion.strip() for item in malformed)
        yield Finding(
            "format",
            f"{_format_share(len(malformed), len(run.late))} are malformed, {blank} of them blank; for "
            f"example {_quote(malformed[-1].completion)}",
            "Check that the prompt names the format that the rubric needs, and that completions are not cut "
            "off (max_completion_length). A supervised cold start teaches a format faster than a reward.",
        )


def find_failing_sql(run: RunItems) -> Iterator[Finding]:
    """Find a large share of SQL that fails."""
    ran = [item for item in run.late if item.status != "malformed"]
    failing = [item for item in ran if item.status == "error"]
    if _is_frequent(len(failing), len(ran), MAX_FAILING_SHARE):
        yield Finding(
            "execution",
            f"{_format_share(len(failing), len(ran))} with SQL fail; most often: "
            f"{_format_most_frequent(item.error for item in failing)}",
            "If names are unknown, check that the prompt shows the whole schema. If the syntax is wrong, "
            "check that the prompt names the dialect. Train first on SQL that runs.",
        )


def find_stopped_answers(run: RunItems) -> Iterator[Finding]:
    """Find a large share of answers that a limit stops, or that try to write."""
    stopped = [item.status for item in run.late if item.status in ("timeout", "too_large", "denied")]
    if _is_frequent(len(stopped), len(run.late), MAX_STOPPED_SHARE):
        kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(stopped).most_common())
        yield Finding(
            "limits",
            f"{_format_share(len(stopped), len(run.late))} are stopped: {kinds}",
            "Check whether the gold queries come near the limits ('sql-env check', code 'slow') and raise "
            "the limits. Otherwise the model has learnt joins without a condition, or to write.",
        )


def find_masked_answers(run: RunItems) -> Iterator[Finding]:
    """Find a large share of answers that are masked."""
    reasons = [item.masked for item in run.items if item.masked]
    if _is_frequent(len(reasons), len(run.items), MAX_MASKED_SHARE):
        yield Finding(
            "masked",
            f"{_format_share(len(reasons), len(run.items))} are masked; most often: "
            f"{_format_most_frequent(reasons)}",
            "Leave out the tasks whose gold query fails ('sql-env check', code 'fails'). Repair databases "
            "that are missing or were written to.",
        )


def find_empty_matches(run: RunItems) -> Iterator[Finding]:
    """Find a large share of right answers that return no row, as the gold query does."""
    right = [item for item in run.late if item.correct]
    empty = [item for item in right if item.result is not None and item.result.row_count == 0]
    if _is_frequent(len(empty), len(right), MAX_EMPTY_SHARE):
        tasks = len({item.task_id for item in empty})
        yield Finding(
            "empty-matches",
            f"{len(empty)} of {len(right)} right answers ({len(empty) / len(right):.0%}) return no row, "
            f"on {tasks} tasks",
            "Leave out tasks whose gold result is empty ('sql-env check', code 'empty'): any query that "
            "returns no row is rewarded there.",
        )


def find_one_sql(run: RunItems) -> Iterator[Finding]:
    """Find one query that answers many questions with other gold queries."""
    golds = {(item.db_id, normalise_sql(item.gold_sql)) for item in run.late}
    answered: dict[str, set[tuple[str, str]]] = defaultdict(set)
    right: Counter[str] = Counter()
    for item in run.late:
        gold = normalise_sql(item.gold_sql)
        sql = normalise_sql(item.sql) if item.sql is not None else gold
        right[sql] += bool(item.correct) and item.sql is not None
        if sql != gold:
            answered[sql].add((item.db_id, gold))
    sql, found = max(answered.items(), key=lambda answer: len(answer[1]), default=("", set()))
    if len(run.late) >= MIN_ANSWERS and len(found) >= max(MIN_ONE_SQL, MIN_ONE_SQL_SHARE * len(golds)):
        yield Finding(
            "one-sql",
            f"{sql[:MAX_QUOTED_CHARACTERS]!r} answers questions with {len(found)} of {len(golds)} gold "
            f"queries, and is right {right[sql]} times",
            "The policy falls back on one query. If it is sometimes right, those gold queries are too easy "
            "to match (empty or NULL results: 'sql-env check'). Otherwise give less reward to SQL that only "
            "runs.",
        )


def _is_frequent(part: int, whole: int, share: float) -> bool:
    return whole >= MIN_ANSWERS and part > share * whole


def _format_share(part: int, whole: int) -> str:
    return f"{part} of {whole} answers ({part / whole:.0%})"


def _format_most_frequent(texts: Iterable[str]) -> str:
    [(text, count)] = Counter(map(_quote, texts)).most_common(1)
    return f"{text} ({count})"


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= MAX_QUOTED_CHARACTERS else f"{line[:MAX_QUOTED_CHARACTERS]}...")
