"""Take a completion apart, and put one together.

Parsing is total (any text gives an `Action`, nothing raises) and linear in time: tags are found
with `str.find`, because one hostile completion keeps a backtracking ``.*?`` busy for minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    name: str
    think: str = ""
    answer: str = ""
    fence: str = ""
    prefill: str = ""


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


def response_format(name: str) -> ResponseFormat:
    """The response format of this name.

    Raises:
        FormatError: There is none.
    """
    if name not in FORMATS:
        raise FormatError(f"no response format is called {name!r}.{suggest(name, list(FORMATS))}")
    return FORMATS[name]


def parse(completion: str, form: ResponseFormat = FORMATS["think-answer"]) -> Action:
    """Take a completion apart. Never raises; ``sql`` is None where the format is not kept.

    Text outside the tags is allowed, as in SQL-R1's code. A tag that occurs twice, or out of
    order, breaks the format: nothing is guessed, so nothing but a well-formed answer ever runs.
    """
    text = form.prefill + completion
    reasoning, rest = "", text
    if form.think:
        blocks = _blocks(text, form)
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


def _blocks(text: str, form: ResponseFormat) -> tuple[str, str] | None:
    """The insides of the reasoning and answer blocks, if each tag occurs once and in order."""
    tags = (f"<{form.think}>", f"</{form.think}>", f"<{form.answer}>", f"</{form.answer}>")
    at = []
    for tag in tags:
        place = text.find(tag)
        if place < 0 or text.find(tag, place + 1) >= 0:
            return None
        at.append(place)
    if at != sorted(at):
        return None
    return text[at[0] + len(tags[0]) : at[1]], text[at[2] + len(tags[2]) : at[3]]


def _last_fence(text: str, language: str) -> str:
    """The inside of the last fenced block of a language, or nothing."""
    opening = "```" + language
    start = text.rfind(opening)
    body = start + len(opening)
    if start < 0 or not text[body : body + 1].isspace():
        return ""
    end = text.find("```", body)
    return text[body:end].strip() if end >= 0 else ""
