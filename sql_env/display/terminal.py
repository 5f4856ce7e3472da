"""Print to a terminal. No text of a model, a server or a database can control the terminal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any
from unicodedata import category

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment


def escape_control(text: str, keep: str = "") -> str:
    """Replace the characters that could control the terminal or change the direction of the text."""
    if text.isprintable():
        return text
    return "".join(c if _is_harmless(c) or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or category(character) == "Zs"  # a space, such as U+00A0


class CleanConsole(Console):
    """A console that passes every text through `escape_control`. Its own colours and movements remain."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of something that is printed; see `rich.console.Console.render`."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(escape_control(segment.text, keep="\n"), segment.style)


def make_console(*, stderr: bool = False, **options: Any) -> Console:
    """Make a console for stdout or stderr that prints no control characters.

    Args:
        stderr: True for stderr.
        options: Further arguments of `rich.console.Console`.
    """
    return CleanConsole(stderr=stderr, **options)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text without its control characters. Line breaks and tabs are kept, and nothing is wrapped."""
    print(escape_control(text, keep="\n\t"), file=sys.stderr if err else sys.stdout)


def echo_json(value: object) -> None:
    """Print JSON in one line. Characters that cannot be printed are written as its escapes."""
    text = json.dumps(value, ensure_ascii=False)
    print(
        text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    )


class CleanFormatter(logging.Formatter):
    """Formats a log record without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return escape_control(super().format(record), keep="\n\t")


def print_log() -> None:
    """Print warnings of the log on stderr, without control characters, unless a program has set it up."""
    handler = logging.StreamHandler()
    handler.setFormatter(CleanFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler])
