"""The page: one file with its style, its script and its data, which fetches nothing."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import jinja2

from benchmarks.reports.curves import make_curves
from benchmarks.reports.html import overview
from benchmarks.reports.html.chart import Chart, draw_chart
from benchmarks.reports.html.run_pairs import compare_runs
from benchmarks.reports.html.viewer_data import collect_entries, make_details, make_index, pack
from benchmarks.reports.recorded_run import RecordedRun
from sql_env.errors import DataError

SCRIPTS = ("elements.js", "filters.js", "list.js", "detail.js", "page.js")
"""The parts of the page's script, which are one script in the page."""

_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def write_report(runs: Sequence[RecordedRun], path: Path) -> None:
    """Write the report of some runs as one file of HTML.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_page(runs), encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write the report to {str(path)!r}: {error}") from None


def render_page(runs: Sequence[RecordedRun]) -> str:
    """The report of some runs as HTML; the same runs give the same text.

    A policy in its head forbids all that it does not hold itself: fetches, inline handlers, and scripts
    and styles but its own, which are named by their hashes. No text of the data gets into it other than
    escaped by the template, or packed by `benchmarks.reports.html.viewer_data.pack`.
    """
    found, wrong = collect_entries(runs), overview.count_error_classes(runs)
    style, script = _file("page.css"), "\n".join(map(_file, SCRIPTS))
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "plain": name_hidden_characters,
        "percent": format_percent,
        "number": format_number,
        "odds": format_p_value,
    }
    return environment.from_string(_file("template.html.j2")).render(
        title=_title(runs),
        runs=runs,
        counts=[_counts(run) for run in runs],
        about=[(number, lines) for number, run in enumerate(runs) if (lines := _about(run))],
        blocks=[
            block
            for block in (
                overview.make_headline(runs),
                overview.make_unbounded(runs),
                overview.group_by_difficulty(runs),
                *overview.group_by_feature(runs),
                overview.make_statuses(runs),
                overview.make_rewards(runs),
            )
            if block.rows
        ],
        wrong=wrong,
        most=max((primary for _, _, numbers in wrong for primary, _, _ in numbers), default=0) or 1,
        pairs=list(compare_runs(runs)),
        charts=[(number, drawn) for number, run in enumerate(runs) if (drawn := _charts(run))],
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        index=pack(make_index(runs, found)),
        details=[pack(part) for part in make_details(found)],
    )


def name_hidden_characters(text: object) -> str:
    """Text in which nothing is hidden: characters that steer or cannot be shown are named.

    Example:
        >>> plain("a" + chr(0x202E) + "b")
        'a⟨202E⟩b'
    """
    return _ODD.sub(lambda odd: f"⟨{ord(odd[0]):04X}⟩", str(text))


def format_percent(share: float) -> str:
    """A share in per cent, with one decimal."""
    return f"{100 * share:.1f}"


def format_number(value: float) -> str:
    """A figure that is no share."""
    return f"{value:.3f}"


def format_p_value(p_value: float) -> str:
    """A p-value, as papers print it."""
    return f"{p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def _file(name: str) -> str:
    return files("benchmarks.reports.html").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """How a Content-Security-Policy names an inline script or style."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _title(runs: Sequence[RecordedRun]) -> str:
    """The benchmarks and splits that the runs name, or what kind of runs they are."""
    named = (" ".join(filter(None, (_text(run, "benchmark"), _text(run, "split")))) for run in runs)
    kind = "Training" if all(run.training for run in runs) else "Evaluation"
    return ", ".join(dict.fromkeys(filter(None, named))) or kind


def _text(run: RecordedRun, name: str) -> str:
    value = run.about.get(name)
    return value if isinstance(value, str) else ""


def _counts(run: RecordedRun) -> dict[str, int]:
    judged = [item.correct for item in run.items if item.correct is not None]
    return {"all": len(run.items), "right": sum(judged), "masked": len(run.items) - len(judged)}


def _charts(run: RecordedRun) -> list[Chart]:
    drawn = (draw_chart(title, named) for title, named in make_curves(run.items).items())
    return [each for each in drawn if each is not None]


def _about(run: RecordedRun) -> list[tuple[str, str]]:
    """What a run's folder says of it, a line for each name; what is nested under ``a.b``."""
    return list(chain.from_iterable(_lines(name, value) for name, value in run.about.items()))


def _lines(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [line for key, inner in value.items() for line in _lines(f"{name}.{key}", inner)]
    text = value if isinstance(value, str) else json.dumps(value)
    return [(name, text if len(text) <= 500 else text[:500] + " …")]
