"""What a question may ask of a row: each predicate in SQL and in English."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.demo.query import Condition
from benchmarks.demo.sampler import Sampler, Unfit
from benchmarks.demo.table import ORDERED, Column, Kind, Table

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on one column.

    Attributes:
        column: The column.
        test: The SQL, with ``{}`` where the column goes.
        says: The English verb phrase: ``is above 40``.
        evidence: What one must know to turn the one into the other.
    """

    column: Column
    test: str
    says: str
    evidence: str = ""

    def on(self, table: Table | str = "") -> Condition:
        """The condition, on the column as it is or qualified by its table."""
        owner = table.name if isinstance(table, Table) else table
        column = f"{owner}.{self.column.name}" if owner else self.column.name
        return Condition(self.test.replace("{}", column), column)

    def phrase(self, role: str = "") -> str:
        """The English for a row, or for the row that plays ``role`` to it."""
        if self.column.kind is Kind.FLAG:
            return f"whose {role} is {self.says}" if role else self.says
        return (
            f"whose {role}'s {self.column.label} {self.says}"
            if role
            else f"whose {self.column.label} {self.says}"
        )


Test: TypeAlias = Callable[[Sampler, Table], Predicate]


def literal(value: object) -> str:
    """A value in SQL."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def equal(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.CATEGORY)
    value = s.value(table, column)
    return Predicate(column, f"{{}} = {literal(value)}", f"is {value}")


def named(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.NAME)
    value = s.value(table, column)
    return Predicate(column, f"{{}} = {literal(value)}", f"is {value}")


def flagged(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.FLAG)
    value = s.pick((1, 0))
    return Predicate(column, f"{{}} = {value}", f"{'' if value else 'not '}marked as {column.label}")


def compare(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, *ORDERED)
    sign, words = s.pick(tuple(zip((">", "<", ">=", "<="), column.scale[:4], strict=True)))
    value = s.value(table, column)
    return Predicate(column, f"{{}} {sign} {literal(value)}", f"is {words} {value}")


def between(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, *ORDERED)
    low, high = s.span(table, column)
    test = f"{{}} BETWEEN {literal(low)} AND {literal(high)}"
    return Predicate(column, test, f"is between {low} and {high}")


def member(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.CATEGORY)
    values = s.some(sorted(set(map(str, s.values(table, column)))), s.pick((2, 3)))
    spoken = ", ".join(values[:-1]) + f" or {values[-1]}"
    return Predicate(column, f"{{}} IN ({', '.join(map(literal, values))})", f"is {spoken}")


def like(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.NAME, Kind.CATEGORY)
    words = str(s.value(table, column)).split()
    size = s.pick((1, 2, 3))
    start, end, part = words[0][:size], words[-1][-size:], s.pick(words)[1 : 2 + size]
    pattern, verb, piece = s.pick(
        ((f"{start}%", "starts with", start), (f"%{end}", "ends with", end), (f"%{part}%", "contains", part))
    )
    if not piece.isalpha():
        raise Unfit(f"{piece!r} is no word")
    return Predicate(column, f"{{}} LIKE {literal(pattern)}", f'{verb} "{piece}"')


def null(s: Sampler, table: Table) -> Predicate:
    column = s.pick([c for c in table.columns if c.nulls])
    test, says = s.pick((("{} IS NULL", "is missing"), ("{} IS NOT NULL", "is known")))
    return Predicate(column, test, says)


def year(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.DATE)
    value = str(s.value(table, column))[:4]
    return Predicate(column, f"strftime('%Y', {{}}) = '{value}'", f"falls in {value}")


def month(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.DATE)
    value = str(s.value(table, column))[5:7]
    spoken = MONTHS[int(value) - 1]
    evidence = f"{spoken} is month '{value}' of strftime('%m')."
    return Predicate(column, f"strftime('%m', {{}}) = '{value}'", f"falls in {spoken}", evidence)


def dated(s: Sampler, table: Table) -> Predicate:
    """Any test of a date."""
    dates = Table(table.name, table.one, table.many, table.size, tuple(table.of(Kind.DATE)), table.key)
    return s.pick((year, month, compare, between))(s, dates)


COMMON: tuple[Test, ...] = (equal, equal, compare, compare, compare, flagged, year, between)


def common(s: Sampler, table: Table) -> Predicate:
    """A predicate of a frequent kind."""
    for test in s.some(COMMON, len(COMMON)):
        try:
            return test(s, table)
        except Unfit:
            continue
    raise Unfit(f"nothing to ask of {table.name}")
