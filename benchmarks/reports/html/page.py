"""Render the page: one file with its style, its script and its data, which fetches nothing."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from benchmarks.records.masking import measure_masking
from benchmarks.reports.curves import make_curves
from benchmarks.reports.html import overview
from benchmarks.reports.html.chart import draw_chart
from benchmarks.reports.html.viewer_data import collect_entries, make_details, make_index, pack
from benchmarks.reports.recorded_run import RecordedRun
from sql_env.errors import DataError

SCRIPTS = ("elements.js", "filters.js", "list.js", "detail.js", "page.js")
"""The files of the page's script. The page has them as one script."""

MAX_SETTING_CHARACTERS = 500
"""A longer text of a run's configuration is cut."""

_HIDDEN_CHARACTERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def write_report(runs: Sequence[RecordedRun], path: Path) -> None:
    """Write the report of some runs as one HTML file.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_page(runs), encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write the report to {str(path)!r}: {error}") from None


def render_page(runs: Sequence[RecordedRun]) -> str:
    """Render the report of some runs as HTML; the same runs give the same text.

    A policy in its head forbids everything from outside: fetches, inline handlers, and all scripts and
    styles except its own, which it names by their hashes. The template escapes every text of the data, or
    `benchmarks.reports.html.viewer_data.pack` packs it.
    """
    entries, error_classes = collect_entries(runs), overview.count_error_classes(runs)
    style, script = _read_asset("page.css"), "\n".join(map(_read_asset, SCRIPTS))
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "visible": name_hidden_characters,
        "percent": lambda share: f"{100 * share:.1f}",
        "number": lambda value: f"{value:.3f}",
        "p_value": lambda p: f"{p:.3f}" if p >= 0.001 else "< 0.001",
    }
    blocks = [
        overview.make_headline(runs),
        overview.make_unbounded(runs),
        overview.group_by_difficulty(runs),
        *overview.group_by_feature(runs),
        overview.make_statuses(runs),
        overview.make_rewards(runs),
    ]
    charts = [[draw_chart(title, curves) for title, curves in make_curves(run.items).items()] for run in runs]
    return environment.from_string(_read_asset("template.html.j2")).render(
        title=_make_title(runs),
        runs=runs,
        counts=[_count_items(run) for run in runs],
        about=[(number, _flatten("", run.about)) for number, run in enumerate(runs) if run.about],
        blocks=[block for block in blocks if block.rows],
        wrong=error_classes,
        most=max((primary for _, _, counts in error_classes for primary, _, _ in counts), default=0) or 1,
        pairs=list(overview.compare_runs(runs)),
        charts=[(number, list(filter(None, drawn))) for number, drawn in enumerate(charts) if any(drawn)],
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        index=pack(make_index(runs, entries)),
        details=[pack(part) for part in make_details(entries)],
    )


def name_hidden_characters(text: object) -> str:
    """Replace control characters and characters that cannot be shown by their numbers.

    Example:
        >>> name_hidden_characters("a" + chr(0x202E) + "b")
        'a⟨202E⟩b'
    """
    return _HIDDEN_CHARACTERS.sub(lambda found: f"⟨{ord(found[0]):04X}⟩", str(text))


def _read_asset(name: str) -> str:
    return files("benchmarks.reports.html").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Hash an inline script or style for a Content-Security-Policy."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _make_title(runs: Sequence[RecordedRun]) -> str:
    """Return the benchmarks and splits of the runs; if they are not known, the kind of runs."""
    about = ([run.about.get(name) for name in ("benchmark", "split")] for run in runs)
    named = (" ".join(text for text in texts if text and isinstance(text, str)) for texts in about)
    kind = "Training" if all(run.training for run in runs) else "Evaluation"
    return ", ".join(dict.fromkeys(filter(None, named))) or kind


def _count_items(run: RecordedRun) -> dict[str, Any]:
    judged = [item.correct for item in run.items if item.correct is not None]
    counts = {"all": len(run.items), "right": sum(judged), "masked": len(run.items) - len(judged)}
    return counts | {"masking": measure_masking(run.items)}


def _flatten(name: str, value: Any) -> list[tuple[str, str]]:
    """Return one line for each value of nested dicts; names are joined as ``a.b``."""
    if isinstance(value, dict):
        prefix = f"{name}." if name else ""
        return [line for key, inner in value.items() for line in _flatten(f"{prefix}{key}", inner)]
    text = value if isinstance(value, str) else json.dumps(value)
    cut = text if len(text) <= MAX_SETTING_CHARACTERS else f"{text[:MAX_SETTING_CHARACTERS]} …"
    return [(name, cut)]
