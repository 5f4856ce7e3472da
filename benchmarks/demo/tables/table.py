"""What a domain is made of: tables and columns that know their SQL and their English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a column holds; shapes ask for columns by kind."""

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
    """The English words for comparing the values of a column, and whether they add up to anything."""

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
        kind: What it holds.
        label: Its name in English; the other table's role for a reference.
        values: The words to draw from, or the lowest and the highest value.
        nulls: The share of NULLs.
        scale: Its comparing words.
        verb: How a row comes by its value: ``is from`` (a city), ``was hired`` (on a day), ``joined``.
        target: The table that a reference points to.
        inverse: What the target has many of, in English.
        after: The date column of the same table that this date never precedes.
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
        """The label, in the plural."""
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
        """The column by which people call a row: its name, else its key."""
        return next((c for c in self.columns if c.kind is Kind.NAME), self.columns[0])

    def of(self, *kinds: Kind) -> list[Column]:
        """The columns of these kinds."""
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
        """What the child calls the parent."""
        return self.column.label

    @property
    def inverse(self) -> str:
        """What the parent calls its children."""
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
    """A primary key: a running number, or the given codes."""
    return Column(name, Kind.KEY, name, tuple(values))


def name(name: str, values: Sequence[str], label: str = "") -> Column:
    """A text by which a row is called; no two rows share one."""
    return Column(name, Kind.NAME, label or name, tuple(values))


def category(name: str, values: str, label: str = "", verb: str = "", nulls: float = 0.0) -> Column:
    """One of a few words, given with commas between them."""
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
    """A whole number."""
    return Column(name, Kind.NUMBER, label or name, (low, high), nulls, scale, verb)


def real(name: str, low: float, high: float, scale: Scale = AMOUNT, nulls: float = 0.0) -> Column:
    """A number with one decimal."""
    return Column(name, Kind.REAL, name, (low, high), nulls, scale)


def date(
    name: str, first: str, last: str, label: str, verb: str, nulls: float = 0.0, after: str = ""
) -> Column:
    """A day, as ISO text."""
    return Column(name, Kind.DATE, label, (first, last), nulls, TIME, verb, after=after)


def flag(name: str, label: str = "") -> Column:
    """A yes or no, as 1 or 0."""
    return Column(name, Kind.FLAG, label or name, (0, 1))


def ref(name: str, target: str, inverse: str, label: str = "", nulls: float = 0.0) -> Column:
    """A foreign key to ``target``."""
    return Column(name, Kind.REF, label or target, (), nulls, target=target, inverse=inverse)


def table(name: str, one: str, size: int, *columns: Column, many: str = "", key: str = "") -> Table:
    """A table; ``key`` lists the columns of a composite key, with blanks between them."""
    made = Table(name, one, many or one + "s", size, columns, (columns[0].name,))
    return replace(made, key=tuple(key.split())) if key else made
