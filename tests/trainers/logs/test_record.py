"""The record of a demo: its summary names masked answers if there are any."""

import io

import pytest
from rich.console import Console

pytest.importorskip("transformers")

from trainers.logs.record import RunRecord


@pytest.mark.parametrize("masked", [0.0, 0.125])
def test_the_summary_has_masked_answers_if_there_are_any(masked):
    before, after = ({"greedy": value, "masked": masked} for value in (0.25, 0.5))
    record = RunRecord(before=before, after=after, held_out_questions=100)
    text = io.StringIO()
    record.print_summary(Console(file=text, width=100))
    assert "+0.250" in text.getvalue()
    assert ("masked" in text.getvalue()) == bool(masked)
    assert record.figures() == {"before": {"greedy": 0.25}, "after GRPO": {"greedy": 0.5}}
