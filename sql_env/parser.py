"""Take a completion apart, and put one together.

Parsing is total (any text gives an `Action`, nothing raises) and linear in time: tags are found
with `str.find`, because one hostile completion keeps a backtracking ``.*?`` busy for minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sql_env.errors import FormatError
from sql_env.plugins import suggest
from sql_env.types import Action


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """Where a completion holds its reasoning and its SQL.

    Attributes:
        name: The name by which rubrics and prompts refer to it.
        think: Tag of the reasoning block, or empty where there is none.
        answer: Tag of the answer block, or empty where the whole text is the answer.
        fence: The Markdown language of the code block inside the answer, or empty where the
            answer itself is the SQL.
        prefill: Text with which the prompt already began the completion.
        tool: Tag of a query that only explores, where an episode has several turns.
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
``<answer>`` block, in which the last code block that is fenced as ``sql`` counts. ``think-solution`` is
SkyRL-SQL's. ``fenced`` takes the last fence of any text, ``sql`` the text itself.
"""


def get_format(name: str) -> ResponseFormat:
    """The response format of this name.

    Raises:
        FormatError: There is none.
    """
    if name not in FORMATS:
        raise FormatError(f"no response format is called {name!r}.{suggest(name, list(FORMATS))}")
    return FORMATS[name]


def parse(completion: str, form: ResponseFormat = FORMATS["think-answer"], *, tools: bool = False) -> Action:
    """Take a completion apart. Never raises; ``sql`` is None where the format is not kept.

    Text outside the tags is allowed, as in SQL-R1's code. A tag that occurs twice, or out of
    order, breaks the format: nothing is guessed, so nothing but a well-formed answer ever runs.

    Args:
        completion: The model's text.
        form: The response format.
        tools: Whether the model may explore. The format's tool tag then makes a completion a query
            and never an answer: `Action.query`, if the reasoning block and this tag are there once
            and in order and no answer is; else malformed, so that nobody is paid for both at once.
    """
    text = form.prefill + completion
    if tools and (f"<{form.tool}>" in text or f"</{form.tool}>" in text):
        return _exploration(text, form)
    reasoning, rest = "", text
    if form.think:
        blocks = _blocks(text, (form.think, form.answer))
        if blocks is None:
            return Action(None)
        reasoning, rest = blocks
    sql = _last_fence(rest, form.fence) if form.fence else rest.strip()
    return Action(sql or None, reasoning.strip(), rest.strip())


def respond(sql: str, reasoning: str = "", form: ResponseFormat = FORMATS["think-answer"]) -> str:
    """The completion that says this: what `parse` takes apart again."""
    body = f"```{form.fence}\n{sql}\n```" if form.fence else sql
    answer = f"<{form.answer}>\n{body}\n</{form.answer}>" if form.answer else body
    think = f"<{form.think}>\n{reasoning}\n</{form.think}>\n" if form.think else ""
    return (think + answer).removeprefix(form.prefill)


def _exploration(text: str, form: ResponseFormat) -> Action:
    """A completion with the tool tag: a query to run and read, or malformed."""
    blocks = _blocks(text, tuple(tag for tag in (form.think, form.tool) if tag))
    if blocks is None or _answers(text, form):
        return Action(None)
    reasoning = blocks[0].strip() if form.think else ""
    return Action(None, reasoning, query=blocks[-1].strip() or None)


def _answers(text: str, form: ResponseFormat) -> bool:
    """Whether an answer, or a part of one, stands beside a query."""
    if form.answer:
        return f"<{form.answer}>" in text or f"</{form.answer}>" in text
    return bool(form.fence) and "```" in text


def _blocks(text: str, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """The insides of the blocks of these names, if each tag occurs once and in order."""
    blocks, end = [], 0
    for opening, closing in _tags(names):
        start, stop = text.find(opening), text.find(closing)
        if start < end or stop < start or text.find(opening, start + 1) >= 0:
            return None
        if text.find(closing, stop + 1) >= 0:
            return None
        blocks.append(text[start + len(opening) : stop])
        end = stop
    return tuple(blocks)


@cache
def _tags(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((f"<{name}>", f"</{name}>") for name in names)


def _last_fence(text: str, language: str) -> str:
    """The inside of the last fenced block of a language, or nothing."""
    opening = "```" + language
    start = text.rfind(opening)
    body = start + len(opening)
    if start < 0 or not text[body : body + 1].isspace():
        return ""
    end = text.find("```", body)
    return text[body:end].strip() if end >= 0 else ""
