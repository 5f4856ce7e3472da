"""A query's text -> `Query`. Total, linear in the length of the text, and bounded in depth."""

from __future__ import annotations

from benchmarks.metrics.spider_sql.cursor import Cursor, OutsideError
from benchmarks.metrics.spider_sql.names import Names
from benchmarks.metrics.spider_sql.syntax import Column, Condition, Conditions, Item, Query, Term, Value
from benchmarks.metrics.spider_sql.words import split_words

MAX_DEPTH = 64
"""Queries inside each other, or after each other's set operation. Spider's own have three."""

_OPERATIONS = frozenset({"intersect", "union", "except"})
_CLAUSES = frozenset({"select", "from", "where", "group", "order", "limit"}) | _OPERATIONS
_JOINS = frozenset({"join", "on", "as"})
_ENDS = _CLAUSES | {")", ";"}
_OPERATORS = frozenset({"not", "between", "=", ">", "<", ">=", "<=", "!=", "in", "like", "is", "exists"})
_CONNECTIVES = frozenset({"and", "or"})
_AGGREGATES = frozenset({"max", "min", "count", "sum", "avg"})
_ARITHMETIC = frozenset({"-", "+", "*", "/"})
_DIRECTIONS = frozenset({"asc", "desc"})
_AFTER_COLUMN = _CLAUSES | _JOINS | {",", ")", "and"}  # where a column is what a condition compares with


def parse(sql: str, names: Names) -> Query | None:
    """Parse a query as Spider's official evaluator does.

    What follows a complete query is ignored. A column without a table belongs to the first table
    of FROM that has it; an alias counts only after AS, and everywhere in the text.

    Args:
        sql: Any text.
        names: The tables and columns that there are.

    Returns:
        The query; None where the text is outside the grammar. It may still be good SQL.
    """
    try:
        return _query(Cursor(split_words(sql), names))
    except OutsideError:
        return None


def _query(at: Cursor) -> Query:
    """A query in brackets or without, and all that its set operation adds."""
    at.depth += 1
    if at.depth > MAX_DEPTH:
        raise OutsideError
    block = at.skip("(")
    start = at.place
    tables, joined, bare = _from(at)  # first: it says whose the columns of SELECT are
    end, at.place = at.place, start
    distinct, items = _select(at, bare)
    at.place = end
    where = _conditions(at, bare) if at.skip("where") else Conditions()
    group_by = _group_by(at, bare)
    having = _conditions(at, bare) if at.skip("having") else Conditions()
    order_by, direction = _order_by(at, bare)
    limit = at.skip("limit") and bool(at.next())
    _semicolons(at)
    if block:
        at.expect(")")
    _semicolons(at)
    operation = at.one_of(_OPERATIONS)
    other = _query(at) if operation else None
    at.depth -= 1
    return Query(
        items, distinct, tables, joined, where, group_by, having, order_by, direction, limit, operation, other
    )


def _semicolons(at: Cursor) -> None:
    while at.skip(";"):
        pass


def _from(at: Cursor) -> tuple[tuple[str | Query, ...], Conditions, list[str]]:
    """What stands after the next FROM, wherever that is, and the distinct tables that it names.

    JOIN may be left out. The conditions of one ON after another are joined by ``and``.
    """
    at.find("from")
    tables: list[str | Query] = []
    bare: dict[str, None] = {}
    units: list[Condition] = []
    connectives: list[str] = []
    while at.word:
        block = at.skip("(")
        if at.word == "select":
            tables.append(_query(at))
        else:
            at.skip("join")
            tables.append(table := at.table())
            bare[table] = None
            if at.skip("as"):
                at.next()
        if at.skip("on"):
            found = _conditions(at, list(bare))
            connectives += ["and"] * bool(units) + list(found.connectives)
            units += found.units
        if block:
            at.expect(")")
        if at.word in _ENDS:
            break
    return tuple(tables), Conditions(tuple(units), tuple(connectives)), list(bare)


def _select(at: Cursor, bare: list[str]) -> tuple[bool, tuple[Item, ...]]:
    """SELECT and its items. The commas between them may be left out."""
    at.expect("select")
    distinct = at.skip("distinct")
    items = []
    while at.word and at.word not in _CLAUSES:
        aggregate = at.one_of(_AGGREGATES)
        items.append(Item(_term(at, bare), aggregate))
        at.skip(",")
    return distinct, tuple(items)


def _group_by(at: Cursor, bare: list[str]) -> tuple[Column, ...]:
    columns: list[Column] = []
    if at.skip("group"):
        at.expect("by")
        while at.word and at.word not in _ENDS:
            columns.append(_column(at, bare))
            if not at.skip(","):
                break
    return tuple(columns)


def _order_by(at: Cursor, bare: list[str]) -> tuple[tuple[Term, ...], str]:
    """The terms, and their one direction: the last that is said counts for all."""
    if not at.skip("order"):
        return (), ""
    at.expect("by")
    terms: list[Term] = []
    direction = "asc"
    while at.word and at.word not in _ENDS:
        terms.append(_term(at, bare))
        direction = at.one_of(_DIRECTIONS) or direction
        if not at.skip(","):
            break
    return tuple(terms), direction


def _conditions(at: Cursor, bare: list[str]) -> Conditions:
    units: list[Condition] = []
    connectives: list[str] = []
    while at.word:
        if len(units) > len(connectives):
            raise OutsideError
        units.append(_condition(at, bare))
        if at.word in _ENDS or at.word in _JOINS:
            break
        if connective := at.one_of(_CONNECTIVES):
            connectives.append(connective)
    return Conditions(tuple(units), tuple(connectives))


def _condition(at: Cursor, bare: list[str]) -> Condition:
    term = _term(at, bare)
    negated = at.skip("not")
    operator = at.one_of(_OPERATORS)
    if not operator:
        raise OutsideError
    value, upper = _value(at, bare), None
    if operator == "between":
        at.expect("and")
        upper = _value(at, bare)
    return Condition(term, operator, negated, value, upper)


def _value(at: Cursor, bare: list[str]) -> Value:
    """A query, string, number or column. A column takes with it what stands before the next clause,
    join or ``and``: an ``or`` with its condition, or the LEFT of a LEFT JOIN.
    """
    block = at.skip("(")
    value: Value
    if at.word == "select":
        value = _query(at)
    elif '"' in at.word:
        value = at.next()
    elif (number := _number(at.word)) is not None:
        value = number
        at.next()
    elif block or at.word in _AFTER_COLUMN or at.word in _AGGREGATES:
        raise OutsideError
    else:
        distinct = at.skip("distinct")
        value = Column(at.column(bare), distinct=distinct)
        while at.word and at.word not in _AFTER_COLUMN:
            at.next()
    if block:
        at.expect(")")
    return value


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _term(at: Cursor, bare: list[str]) -> Term:
    block = at.skip("(")
    term = Term(_column(at, bare))
    if operator := at.one_of(_ARITHMETIC):
        term = Term(term.left, operator, _column(at, bare))
    if block:
        at.expect(")")
    return term


def _column(at: Cursor, bare: list[str]) -> Column:
    """A column, or an aggregate of one: whose closing bracket closes one before it too, by a quirk."""
    block = at.skip("(")
    if aggregate := at.one_of(_AGGREGATES):
        at.expect("(")
        block = True
    distinct = at.skip("distinct")
    column = Column(at.column(bare), aggregate, distinct)
    if block:
        at.expect(")")
    return column
