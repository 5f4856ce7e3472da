"""The tables and columns of a domain, with their SQL and their English."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The content of a column. Shapes choose columns by kind."""

    KEY = "key"
    NAME = "name"
    CATEGORY = "category"
    NUMBER = "number"
    REAL = "real"
    DATE = "date"
    FLAG = "flag"
    REF = "ref"


MEASURES = (Kind.NUMBER, Kind.REAL)
ORDERED = (Kind.NUMBER, Kind.REAL, Kind.DATE)


class Scale(NamedTuple):
    """The English words that compare the values of a column, and whether their sum makes sense."""

    above: str
    below: str
    at_least: str
    at_most: str
    most: str
    least: str
    adds: bool = True


AMOUNT = Scale("above", "below", "at least", "at most", "highest", "lowest")
LENGTH = Scale("above", "below", "at least", "at most", "longest", "shortest")
LEVEL = AMOUNT._replace(adds=False)
TIME = Scale("after", "before", "no earlier than", "no later than", "latest", "earliest", adds=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Its name in SQL.
        kind: Its content.
        label: Its name in English; for a reference, the role of the other table.
        values: The words to draw from, or the lowest and the highest value.
        nulls: The share of NULLs.
        scale: The words that compare its values.
        verb: The verb of a row with this value: ``is from`` (a city), ``was hired`` (on a day), ``joined``.
        target: The table of a reference.
        inverse: The English for the rows that refer to one row of the target.
        after: An earlier date column of the same table.
    """

    name: str
    kind: Kind
    label: str
    values: tuple[str | float, ...] = ()
    nulls: float = 0.0
    scale: Scale = AMOUNT
    verb: str = ""
    target: str = ""
    inverse: str = ""
    after: str = ""

    @property
    def plural(self) -> str:
        """The label in the plural."""
        if self.label.endswith("y"):
            return self.label[:-1] + "ies"
        return self.label + ("es" if self.label.endswith("s") else "s")


@dataclass(frozen=True, slots=True)
class Table:
    """A table; rows are ``one`` or ``many`` in English."""

    name: str
    one: str
    many: str
    size: int
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)

    @property
    def title(self) -> Column:
        """The column that names a row for people: its name, else its key."""
        return next((c for c in self.columns if c.kind is Kind.NAME), self.columns[0])

    def of(self, *kinds: Kind) -> list[Column]:
        """Return the columns of these kinds."""
        return [c for c in self.columns if c.kind in kinds]


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key from ``child`` to ``parent``."""

    child: Table
    column: Column
    parent: Table

    @property
    def on(self) -> str:
        """The join condition."""
        return f"{self.child.name}.{self.column.name} = {self.parent.name}.{self.parent.key[0]}"

    @property
    def role(self) -> str:
        """The English for the parent of a child."""
        return self.column.label

    @property
    def inverse(self) -> str:
        """The English for the children of a parent."""
        return self.column.inverse


@dataclass(frozen=True, slots=True)
class Domain:
    """One database: a name and its tables, parents before children."""

    name: str
    tables: tuple[Table, ...]
    links: tuple[Link, ...] = field(init=False)

    def __post_init__(self) -> None:
        tables = {t.name: t for t in self.tables}
        links = (Link(t, c, tables[c.target]) for t in self.tables for c in t.of(Kind.REF))
        object.__setattr__(self, "links", tuple(links))


def key(name: str = "id", values: Sequence[str] = ()) -> Column:
    """Make a primary key: a running number, or the given codes."""
    return Column(name, Kind.KEY, name, tuple(values))


def name(name: str, values: Sequence[str], label: str = "") -> Column:
    """Make a column of unique names."""
    return Column(name, Kind.NAME, label or name, tuple(values))


def category(name: str, values: str, label: str = "", verb: str = "", nulls: float = 0.0) -> Column:
    """Make a column of a few words, given with commas between them."""
    words = tuple(value.strip() for value in values.split(","))
    return Column(name, Kind.CATEGORY, label or name, words, nulls, verb=verb)


def number(
    name: str,
    low: int,
    high: int,
    label: str = "",
    scale: Scale = AMOUNT,
    verb: str = "",
    nulls: float = 0.0,
) -> Column:
    """Make a column of integers."""
    return Column(name, Kind.NUMBER, label or name, (low, high), nulls, scale, verb)


def real(name: str, low: float, high: float, scale: Scale = AMOUNT, nulls: float = 0.0) -> Column:
    """Make a column of numbers with one decimal."""
    return Column(name, Kind.REAL, name, (low, high), nulls, scale)


def date(
    name: str, first: str, last: str, label: str, verb: str, nulls: float = 0.0, after: str = ""
) -> Column:
    """Make a column of days as ISO text."""
    return Column(name, Kind.DATE, label, (first, last), nulls, TIME, verb, after=after)


def flag(name: str, label: str = "") -> Column:
    """Make a column of 1 (yes) and 0 (no)."""
    return Column(name, Kind.FLAG, label or name, (0, 1))


def ref(name: str, target: str, inverse: str, label: str = "", nulls: float = 0.0) -> Column:
    """Make a foreign key to ``target``."""
    return Column(name, Kind.REF, label or target, (), nulls, target=target, inverse=inverse)


def table(name: str, one: str, size: int, *columns: Column, many: str = "", key: str = "") -> Table:
    """Make a table; ``key`` lists the columns of a composite key, with blanks between them."""
    made = Table(name, one, many or one + "s", size, columns, (columns[0].name,))
    return replace(made, key=tuple(key.split())) if key else made
