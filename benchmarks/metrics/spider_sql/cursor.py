"""A query's words, read from left to right, and what the names among them mean."""

from __future__ import annotations

from collections.abc import Container, Iterable

from benchmarks.metrics.spider_sql.names import Names


class OutsideError(Exception):
    """The text is not in the grammar."""


class Cursor:
    """Stands before one of the words of a query.

    Args:
        words: The query's words.
        names: The tables and columns that there are.

    Attributes:
        place: How many words lie behind.
        depth: How many queries are open.

    Raises:
        OutsideError: An alias is missing, or is the name of a table.
    """

    def __init__(self, words: list[str], names: Names) -> None:
        self.place = 0
        self.depth = 0
        self._words = words
        self._columns = names.tables
        places = [place for place, word in enumerate(words) if word == "as"]
        if places and places[-1] == len(words) - 1:
            raise OutsideError
        aliases = {words[place + 1]: words[place - 1] for place in places}  # the last AS of a name counts
        if not aliases.keys().isdisjoint(self._columns):
            raise OutsideError
        self._meant = aliases | {table: table for table in self._columns}

    @property
    def word(self) -> str:
        """The word that is next; empty at the end."""
        return self._words[self.place] if self.place < len(self._words) else ""

    def next(self) -> str:
        """Pass a word, whatever it is."""
        word = self.word
        if not word:
            raise OutsideError
        self.place += 1
        return word

    def skip(self, wanted: str) -> bool:
        """Pass this word, if it is next."""
        if self.word != wanted:
            return False
        self.place += 1
        return True

    def expect(self, wanted: str) -> None:
        """Pass this word, which must be next."""
        if not self.skip(wanted):
            raise OutsideError

    def one_of(self, wanted: Container[str]) -> str:
        """Pass a word of these, if one is next; else empty."""
        return self.next() if self.word in wanted else ""

    def find(self, wanted: str) -> None:
        """Go behind the next such word, wherever it is."""
        try:
            self.place = self._words.index(wanted, self.place) + 1
        except ValueError:
            raise OutsideError from None

    def table(self) -> str:
        """Pass a table's name or alias: the table."""
        table = self._meant.get(self.next(), "")
        if table not in self._columns:
            raise OutsideError
        return table

    def column(self, tables: Iterable[str]) -> str:
        """Pass ``*`` or the name of a column: it with its table.

        Args:
            tables: Where a column without a table is looked for, in order.
        """
        word = self.next()
        if word == "*":
            return word
        if "." in word:
            alias, _, word = word.partition(".")
            tables = [] if "." in word else [self._meant.get(alias, "")]
        for table in tables:
            if word in self._columns.get(table, ()):
                return f"{table}.{word}"
        raise OutsideError
