"""Draw conditions on one column, in SQL and in English."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from benchmarks.demo.queries.query import Condition
from benchmarks.demo.queries.sampler import Sampler, Unfit
from benchmarks.demo.tables.table import MEASURES, ORDERED, Column, Kind, Table

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on one column.

    Attributes:
        column: The column.
        sql: The SQL, with ``{}`` instead of the column.
        column_phrase: The English verb phrase of the column: ``is above 40``.
        row_phrase: The verb phrase of the row, which replaces it: ``has a cost above 40``.
        evidence: Knowledge that the SQL needs beyond the English.
    """

    column: Column
    sql: str
    column_phrase: str
    row_phrase: str = ""
    evidence: str = ""

    def on(self, owner: str = "") -> Condition:
        """Return the condition, with the column as it is or qualified by a table or alias."""
        column = f"{owner}.{self.column.name}" if owner else self.column.name
        return Condition(self.sql.replace("{}", column), column)

    def phrase(self) -> str:
        """Return the English that follows the noun of a row."""
        if not self.row_phrase:
            return f"whose {self.column.label} {self.column_phrase}"
        verb, _, rest = self.row_phrase.partition(" ")
        return {"is": rest, "was": rest, "has": f"with {rest}"}.get(verb, f"that {self.row_phrase}")

    def of(self, role: str) -> str:
        """Return the English that follows the noun of a row if its ``role``, another row, must satisfy it."""
        return (
            f"whose {role} {self.row_phrase}"
            if self.row_phrase
            else f"whose {role}'s {self.column.label} {self.column_phrase}"
        )


Test: TypeAlias = Callable[[Sampler, Table], Predicate]


def with_article(noun: str) -> str:
    """Return the noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def format_literal(value: object) -> str:
    """Format a value as SQL."""
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def equal(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.CATEGORY)
    return make_equal(s, column, s.value(table, column))


def make_equal(s: Sampler, column: Column, value: object) -> Predicate:
    return Predicate(
        column, f"{{}} = {format_literal(value)}", f"is {value}", draw_row_phrase(s, column, str(value))
    )


def flagged(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.FLAG)
    value, verb = s.pick(((1, "is"), (0, "is not")))
    return Predicate(column, f"{{}} = {value}", "", f"{verb} marked as {column.label}")


def compare(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, *ORDERED)
    sign, words = s.pick(tuple(zip((">", "<", ">=", "<="), column.scale[:4], strict=True)))
    value = s.value(table, column)
    says = f"{words} {value}"
    return Predicate(
        column, f"{{}} {sign} {format_literal(value)}", f"is {says}", draw_row_phrase(s, column, says)
    )


def between(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, *ORDERED)
    low, high = s.span(table, column)
    says = f"between {low} and {high}"
    test = f"{{}} BETWEEN {format_literal(low)} AND {format_literal(high)}"
    return Predicate(column, test, f"is {says}", draw_row_phrase(s, column, says))


def member(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.CATEGORY)
    values = s.some(sorted(set(map(str, s.values(table, column)))), s.pick((2, 3)))
    says = ", ".join(values[:-1]) + f" or {values[-1]}"
    return Predicate(
        column,
        f"{{}} IN ({', '.join(map(format_literal, values))})",
        f"is {says}",
        draw_row_phrase(s, column, says),
    )


def draw_row_phrase(s: Sampler, column: Column, says: str) -> str:
    """Draw the verb phrase of the row half of the time; else return an empty text."""
    if s.rng.random() < 0.5:
        return ""
    if column.verb:
        return f"{column.verb} {says}"
    of = "of " if says.startswith("at ") else ""
    return f"has {with_article(column.label)} {of}{says}" if column.kind in MEASURES else ""


def like(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.NAME, Kind.CATEGORY)
    words = str(s.value(table, column)).split()
    size = s.pick((1, 2, 3))
    start, end, part = words[0][:size], words[-1][-size:], s.pick(words)[1 : 2 + size]
    pattern, verb, piece = s.pick(
        ((f"{start}%", "starts with", start), (f"%{end}", "ends with", end), (f"%{part}%", "contains", part))
    )
    if not piece.isalpha():
        raise Unfit(f"{piece!r} is not a word")
    return Predicate(column, f"{{}} LIKE {format_literal(pattern)}", f'{verb} "{piece}"')


def null(s: Sampler, table: Table) -> Predicate:
    column = s.pick([c for c in table.columns if c.nulls])
    test, says = s.pick((("{} IS NULL", "is missing"), ("{} IS NOT NULL", "is known")))
    return Predicate(column, test, says)


def year(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.DATE)
    value = str(s.value(table, column))[:4]
    clause = draw_row_phrase(s, column, f"in {value}")
    return Predicate(column, f"strftime('%Y', {{}}) = '{value}'", f"falls in {value}", clause)


def month(s: Sampler, table: Table) -> Predicate:
    column = s.column(table, Kind.DATE)
    value = str(s.value(table, column))[5:7]
    spoken = MONTHS[int(value) - 1]
    clause = draw_row_phrase(s, column, f"in {spoken}")
    evidence = f"{spoken} is month '{value}' of strftime('%m')."
    return Predicate(column, f"strftime('%m', {{}}) = '{value}'", f"falls in {spoken}", clause, evidence)


def dated(s: Sampler, table: Table) -> Predicate:
    """Draw any condition on a date."""
    dates = replace(table, columns=tuple(table.of(Kind.DATE)))
    return s.pick((year, month, compare, between))(s, dates)


COMMON: tuple[Test, ...] = (equal, equal, compare, compare, compare, flagged, year, between)


def draw_common(s: Sampler, table: Table) -> Predicate:
    """Draw a predicate of a frequent kind."""
    for test in s.some(COMMON, len(COMMON)):
        try:
            return test(s, table)
        except Unfit:
            continue
    raise Unfit(f"no predicate fits {table.name}")
