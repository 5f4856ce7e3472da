"""Parse the completions of a model, and write completions in the same form.

The parser accepts any text: each text gives an `Action`, and none raises. Its time is linear, because it
finds tags with `str.find`. A regular expression such as ``.*?`` could backtrack for minutes on hostile text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sql_env.errors import FormatError
from sql_env.plugins import find_named
from sql_env.types import Action


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The form in which a completion gives its reasoning and its SQL.

    Attributes:
        name: The name that rubrics and prompts use.
        think: The tag of the reasoning block; empty for a format without one.
        answer: The tag of the answer block; empty if the whole text is the answer.
        fence: The Markdown language of the code block in the answer; empty if the answer itself is the SQL.
        prefill: The text at the start of the completion that the prompt already has.
        tool: The tag of a query that explores, in an episode of several turns.
    """

    name: str
    think: str = ""
    answer: str = ""
    fence: str = ""
    prefill: str = ""
    tool: str = "sql"


FORMATS = {
    f.name: f
    for f in (
        ResponseFormat("think-answer", think="think", answer="answer", fence="sql"),
        ResponseFormat("think-answer-prefilled", "think", "answer", "sql", prefill="<think>\n"),
        ResponseFormat("think-solution", think="think", answer="solution"),
        ResponseFormat("fenced", fence="sql"),
        ResponseFormat("sql"),
    )
}
"""Every response format by name.

``think-answer`` is SQL-R1's (arXiv 2504.08600): exactly one ``<think>`` block, then exactly one
``<answer>`` block. The last ``sql`` code block in it is the SQL. ``think-solution`` is SkyRL-SQL's.
``fenced`` takes the last ``sql`` code block of any text. ``sql`` takes the text itself.
"""


def get_format(name: str) -> ResponseFormat:
    """Return the response format of this name.

    Raises:
        FormatError: No response format has this name.
    """
    return find_named(FORMATS, name, "response format", FormatError)


def parse(completion: str, form: ResponseFormat = FORMATS["think-answer"], *, tools: bool = False) -> Action:
    """Parse a completion. Never raises; ``sql`` is None if the completion does not follow the format.

    Text outside the tags is allowed, as in SQL-R1's code. A tag that occurs twice or in the wrong order
    breaks the format. The parser does not guess: only a well-formed answer runs.

    Args:
        completion: The model's text.
        form: The response format.
        tools: True if the model may explore. Then a completion with the format's tool tag is never an answer.
            It is a query (`Action.query`) if the reasoning block and the tool tag occur once and in order,
            without an answer; otherwise it is malformed. So no completion can both explore and answer.
    """
    text = form.prefill + completion
    if tools and (f"<{form.tool}>" in text or f"</{form.tool}>" in text):
        return _parse_exploration(text, form)
    reasoning, rest = "", text
    if form.think:
        blocks = _find_blocks(text, (form.think, form.answer))
        if blocks is None:
            return Action(None)
        reasoning, rest = blocks
    sql = _find_last_fence(rest, form.fence) if form.fence else rest.strip()
    return Action(sql or None, reasoning.strip(), rest.strip())


def respond(sql: str, reasoning: str = "", form: ResponseFormat = FORMATS["think-answer"]) -> str:
    """Write a completion in a response format, so that `parse` returns its SQL and reasoning."""
    body = f"```{form.fence}\n{sql}\n```" if form.fence else sql
    answer = f"<{form.answer}>\n{body}\n</{form.answer}>" if form.answer else body
    think = f"<{form.think}>\n{reasoning}\n</{form.think}>\n" if form.think else ""
    return (think + answer).removeprefix(form.prefill)


def _parse_exploration(text: str, form: ResponseFormat) -> Action:
    """Parse a completion with the tool tag. It is a query or malformed."""
    blocks = _find_blocks(text, tuple(tag for tag in (form.think, form.tool) if tag))
    if blocks is None or _has_answer(text, form):
        return Action(None)
    reasoning = blocks[0].strip() if form.think else ""
    return Action(None, reasoning, query=blocks[-1].strip() or None)


def _has_answer(text: str, form: ResponseFormat) -> bool:
    """Return True if the text has an answer or a part of one."""
    if form.answer:
        return f"<{form.answer}>" in text or f"</{form.answer}>" in text
    return bool(form.fence) and "```" in text


def _find_blocks(text: str, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the contents of the blocks with these tags; None unless each tag occurs once and in order."""
    blocks, end = [], 0
    for opening, closing in _make_tags(names):
        start, stop = text.find(opening), text.find(closing)
        repeated = text.find(opening, start + 1) >= 0 or text.find(closing, stop + 1) >= 0
        if start < end or stop < start or repeated:
            return None
        blocks.append(text[start + len(opening) : stop])
        end = stop
    return tuple(blocks)


@cache
def _make_tags(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((f"<{name}>", f"</{name}>") for name in names)


def _find_last_fence(text: str, language: str) -> str:
    """Return the content of the last code block of a language, or an empty text."""
    _, opening, rest = text.rpartition("```" + language)
    content, closing, _ = rest.partition("```")
    return content.strip() if opening and closing and rest[0].isspace() else ""
