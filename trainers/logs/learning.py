"""Say once in the log if a training can learn nothing, and the remedy."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby

from sql_env import Score

log = logging.getLogger(__name__)

PATIENCE = 10
"""Steps in a row without anything to learn until the log says so."""

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an answer that `LearningWatch` reads.

    Attributes:
        group: The group that it belongs to: answers to one question in one step.
        total: Its reward; None if it is masked.
        correct: True if its result is right.
        malformed: True if it has no SQL; False if that is unknown.
    """

    group: Hashable
    total: float | None
    correct: bool
    malformed: bool = False


class LearningWatch:
    """Watches the rewards of a training. Thread-safe.

    A policy gradient learns from the differences of the rewards in a group. If for `PATIENCE` steps in a row
    no group has any, a warning says so once, with the cause that it can see and the remedy. Only the first
    process of a distributed training warns.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = os.environ.get("RANK", "0") != "0"
        self._steps: set[int] = set()
        self._answers: list[Answer] = []

    def add(self, answers: Sequence[Answer], step: int) -> None:
        """Count a batch, in which the answers of a group follow each other.

        Args:
            answers: The batch, or a part of it.
            step: The step that learns from it.
        """
        with self._lock:
            if self._done or not answers:
                return
            if has_signal(answers):
                self._steps, self._answers = set(), []
                return
            if step not in self._steps and len(self._steps) == PATIENCE:
                cause = explain(self._answers)
                log.warning("Nothing can be learnt from the last %d steps: %s", PATIENCE, cause)
                self._done = True
                self._answers = []
                return
            self._steps.add(step)
            self._answers += answers

    def add_scores(self, scores: Sequence[Score], step: int) -> None:
        """Count a batch of scores, in which the rollouts of one task follow each other."""
        self.add(
            [
                Answer(
                    score.rollout.task.id,
                    None if score.masked else score.total,
                    bool(score.rollout.correct),
                    score.rollout.result is None and not score.masked,
                )
                for score in scores
            ],
            step,
        )


def has_signal(answers: Sequence[Answer]) -> bool:
    """Return True if two answers of a group have different rewards.

    If no group has two answers, the whole batch is one group: then an algorithm compares all of them.

    Example:
        >>> has_signal([Answer("a", 1.0, True), Answer("a", 0.0, False), Answer("b", 0.0, False)])
        True
        >>> has_signal([Answer("a", 1.0, True), Answer("a", 1.0, True), Answer("b", 0.0, False)])
        False
    """
    counted = [answer for answer in answers if answer.total is not None]
    groups = [list(group) for _, group in groupby(counted, key=lambda answer: answer.group)]
    compared = groups if any(len(group) > 1 for group in groups) else [counted]
    totals = [[answer.total or 0.0 for answer in group] for group in compared if group]
    return any(max(values) - min(values) > _TOLERANCE for values in totals)


def explain(answers: Sequence[Answer]) -> str:
    """Return the cause that the answers without a signal have in common, and the remedy."""
    counted = [answer for answer in answers if answer.total is not None]
    if not counted:
        return (
            "every answer is masked. Look for the reason in the log and with 'sql-env check': gold queries "
            "that fail, databases that are missing, or a reward that raises"
        )
    if all(answer.malformed for answer in counted):
        return (
            "every answer is malformed. Train a cold start first (trainers.sft), check that the prompt names "
            "the response format, or allow longer answers"
        )
    if all(answer.correct for answer in counted):
        return "every answer is right. Use harder questions, or stop"
    return (
        "all answers of each group have the same reward, often because none follows the response format. "
        "Train a cold start first (trainers.sft), or use easier questions, a higher temperature or more "
        "answers a question; 'sql-env doctor' diagnoses kept rollouts"
    )
