"""Parse a text into a `Query`. It accepts any text, in linear time and with bounded depth."""

from benchmarks.metrics.spider_sql.cursor import Cursor, OutsideError
from benchmarks.metrics.spider_sql.names import Names
from benchmarks.metrics.spider_sql.syntax import Column, Condition, Conditions, Item, Query, Term, Value

MAX_DEPTH = 64
"""The depth of nested queries and set operations. Spider's queries have at most three."""

_OPERATIONS = frozenset({"intersect", "union", "except"})
_CLAUSES = frozenset({"select", "from", "where", "group", "order", "limit"}) | _OPERATIONS
_JOINS = frozenset({"join", "on", "as"})
_ENDS = _CLAUSES | {")", ";"}
_OPERATORS = frozenset({"not", "between", "=", ">", "<", ">=", "<=", "!=", "in", "like", "is", "exists"})
_CONNECTIVES = frozenset({"and", "or"})
_AGGREGATES = frozenset({"max", "min", "count", "sum", "avg"})
_ARITHMETIC = frozenset({"-", "+", "*", "/"})
_DIRECTIONS = frozenset({"asc", "desc"})
_AFTER_COLUMN = _CLAUSES | _JOINS | {",", ")", "and"}  # ends a column that is a value


def parse(sql: str, names: Names) -> Query | None:
    """Parse a query as Spider's official evaluator does.

    Text after a complete query is ignored. A column without a table belongs to the first table of FROM
    that has it. An alias counts only after AS, and then in the whole text.

    Args:
        sql: Any text.
        names: The tables and columns of the database.

    Returns:
        The query; None if the text is outside the grammar. It can still be valid SQL.
    """
    try:
        return _parse_query(Cursor(sql, names))
    except OutsideError:
        return None


def _parse_query(at: Cursor) -> Query:
    """Parse a query, with or without brackets, and the query of its set operation."""
    at.depth += 1
    if at.depth > MAX_DEPTH:
        raise OutsideError
    block = at.skip("(")
    start = at.place
    tables, joined, bare = _parse_from(at)  # first, because it has the tables of the columns of SELECT
    end, at.place = at.place, start
    distinct, items = _parse_select(at, bare)
    at.place = end
    where = _parse_conditions(at, bare) if at.skip("where") else Conditions()
    group_by = _parse_group_by(at, bare)
    having = _parse_conditions(at, bare) if at.skip("having") else Conditions()
    order_by, direction = _parse_order_by(at, bare)
    limit = at.skip("limit") and bool(at.next())
    at.skip_all(";")
    if block:
        at.expect(")")
    at.skip_all(";")
    operation = at.skip_any(_OPERATIONS)
    other = _parse_query(at) if operation else None
    at.depth -= 1
    return Query(
        items, distinct, tables, joined, where, group_by, having, order_by, direction, limit, operation, other
    )


def _parse_from(at: Cursor) -> tuple[tuple[str | Query, ...], Conditions, list[str]]:
    """Parse the next FROM; return its tables, its conditions and the names of its distinct tables.

    JOIN is optional. The conditions of several ON are joined by ``and``.
    """
    at.move_behind("from")
    tables: list[str | Query] = []
    bare: dict[str, None] = {}
    units: list[Condition] = []
    connectives: list[str] = []
    while at.word:
        block = at.skip("(")
        if at.word == "select":
            tables.append(_parse_query(at))
        else:
            at.skip("join")
            tables.append(table := at.read_table())
            bare[table] = None
            if at.skip("as"):
                at.next()
        if at.skip("on"):
            found = _parse_conditions(at, list(bare))
            connectives += ["and"] * bool(units) + list(found.connectives)
            units += found.units
        if block:
            at.expect(")")
        if at.word in _ENDS:
            break
    return tuple(tables), Conditions(tuple(units), tuple(connectives)), list(bare)


def _parse_select(at: Cursor, bare: list[str]) -> tuple[bool, tuple[Item, ...]]:
    """Parse SELECT and its items. Commas between them are optional."""
    at.expect("select")
    distinct = at.skip("distinct")
    items = []
    while at.word and at.word not in _CLAUSES:
        aggregate = at.skip_any(_AGGREGATES)
        items.append(Item(_parse_term(at, bare), aggregate))
        at.skip(",")
    return distinct, tuple(items)


def _parse_group_by(at: Cursor, bare: list[str]) -> tuple[Column, ...]:
    columns: list[Column] = []
    if at.skip("group"):
        at.expect("by")
        while at.word and at.word not in _ENDS:
            columns.append(_parse_column(at, bare))
            if not at.skip(","):
                break
    return tuple(columns)


def _parse_order_by(at: Cursor, bare: list[str]) -> tuple[tuple[Term, ...], str]:
    """Parse ORDER BY; return its terms and one direction for all, which is the last one given."""
    if not at.skip("order"):
        return (), ""
    at.expect("by")
    terms: list[Term] = []
    direction = "asc"
    while at.word and at.word not in _ENDS:
        terms.append(_parse_term(at, bare))
        direction = at.skip_any(_DIRECTIONS) or direction
        if not at.skip(","):
            break
    return tuple(terms), direction


def _parse_conditions(at: Cursor, bare: list[str]) -> Conditions:
    units: list[Condition] = []
    connectives: list[str] = []
    while at.word:
        if len(units) > len(connectives):
            raise OutsideError
        units.append(_parse_condition(at, bare))
        if at.word in _ENDS or at.word in _JOINS:
            break
        if connective := at.skip_any(_CONNECTIVES):
            connectives.append(connective)
    return Conditions(tuple(units), tuple(connectives))


def _parse_condition(at: Cursor, bare: list[str]) -> Condition:
    term = _parse_term(at, bare)
    negated = at.skip("not")
    operator = at.skip_any(_OPERATORS)
    if not operator:
        raise OutsideError
    value, upper = _parse_value(at, bare), None
    if operator == "between":
        at.expect("and")
        upper = _parse_value(at, bare)
    return Condition(term, operator, negated, value, upper)


def _parse_value(at: Cursor, bare: list[str]) -> Value:
    """Parse a query, string, number or column.

    After a column, all words before the next clause, join or ``and`` are ignored: an ``or`` with its
    condition, or the LEFT of a LEFT JOIN.
    """
    block = at.skip("(")
    value: Value
    if at.word == "select":
        value = _parse_query(at)
    elif '"' in at.word:
        value = at.next()
    elif (number := _parse_number(at.word)) is not None:
        value = number
        at.next()
    elif block or at.word in _AFTER_COLUMN or at.word in _AGGREGATES:
        raise OutsideError
    else:
        distinct = at.skip("distinct")
        value = Column(at.read_column(bare), distinct=distinct)
        while at.word and at.word not in _AFTER_COLUMN:
            at.next()
    if block:
        at.expect(")")
    return value


def _parse_number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _parse_term(at: Cursor, bare: list[str]) -> Term:
    block = at.skip("(")
    term = Term(_parse_column(at, bare))
    if operator := at.skip_any(_ARITHMETIC):
        term = Term(term.left, operator, _parse_column(at, bare))
    if block:
        at.expect(")")
    return term


def _parse_column(at: Cursor, bare: list[str]) -> Column:
    """Parse a column or an aggregate of one. By a quirk, its closing bracket also closes one before it."""
    block = at.skip("(")
    if aggregate := at.skip_any(_AGGREGATES):
        at.expect("(")
        block = True
    distinct = at.skip("distinct")
    column = Column(at.read_column(bare), aggregate, distinct)
    if block:
        at.expect(")")
    return column
