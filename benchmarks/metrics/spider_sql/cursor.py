"""Split a query into words, read them from left to right, and resolve the names among them.

The words are those of the official evaluator, which splits by a tokenizer for English prose. This matters: a
word that the tokenizer does not split, such as ``a=b``, is no SQL for the official parser. Brackets, ``<``,
``>``, ``*`` and other symbols are words of their own; ``=``, ``+``, ``-`` and ``/`` only between blanks.
"""

import re
from collections.abc import Container, Iterable

from benchmarks.metrics.spider_sql.names import Names

_SEPARATE = re.compile(
    r"""[][(){}<>;@\#$%&?!*«»“”‘’„] | ``? | -- | \.{2,}
      | [:,](?!\d)                      # not in 1,000
      | (?<!\.)\.(?=[])}>»”’\s]*\Z)     # a full stop at the end""",
    re.VERBOSE,
)


class OutsideError(Exception):
    """The text is outside the grammar."""


class Cursor:
    """A position in the words of a query.

    Args:
        sql: The query.
        names: The tables and columns of the database.

    Attributes:
        place: The number of words that have been read.
        depth: The number of open queries.

    Raises:
        OutsideError: An alias is missing, or is the name of a table.
    """

    def __init__(self, sql: str, names: Names) -> None:
        self.place = 0
        self.depth = 0
        self._words = words = split_words(sql)
        self._columns = names.tables
        places = [place for place, word in enumerate(words) if word == "as"]
        if places and places[-1] == len(words) - 1:
            raise OutsideError
        aliases = {words[place + 1]: words[place - 1] for place in places}  # the last AS of an alias counts
        if not aliases.keys().isdisjoint(self._columns):
            raise OutsideError
        self._tables_by_name = aliases | {table: table for table in self._columns}

    @property
    def word(self) -> str:
        """The next word; empty at the end."""
        return self._words[self.place] if self.place < len(self._words) else ""

    def next(self) -> str:
        """Read any word."""
        word = self.word
        if not word:
            raise OutsideError
        self.place += 1
        return word

    def skip(self, wanted: str) -> bool:
        """Read this word if it is next."""
        if self.word != wanted:
            return False
        self.place += 1
        return True

    def skip_all(self, wanted: str) -> None:
        """Read all occurrences of this word that are next."""
        while self.skip(wanted):
            pass

    def expect(self, wanted: str) -> None:
        """Read this word, which must be next."""
        if not self.skip(wanted):
            raise OutsideError

    def skip_any(self, wanted: Container[str]) -> str:
        """Read one of these words if one is next; else return an empty text."""
        return self.next() if self.word in wanted else ""

    def move_behind(self, wanted: str) -> None:
        """Move behind the next occurrence of a word."""
        try:
            self.place = self._words.index(wanted, self.place) + 1
        except ValueError:
            raise OutsideError from None

    def read_table(self) -> str:
        """Read the name or alias of a table and return the table."""
        table = self._tables_by_name.get(self.next(), "")
        if table not in self._columns:
            raise OutsideError
        return table

    def read_column(self, tables: Iterable[str]) -> str:
        """Read ``*`` or the name of a column and return it with its table.

        Args:
            tables: The tables in which a column without a table is searched, in order.
        """
        word = self.next()
        if word == "*":
            return word
        if "." in word:
            alias, _, word = word.partition(".")
            tables = [] if "." in word else [self._tables_by_name.get(alias, "")]
        for table in tables:
            if word in self._columns.get(table, ()):
                return f"{table}.{word}"
        raise OutsideError


def split_words(sql: str) -> list[str]:
    """Split a query into words in lower case. A string is one word, in double quotes, and keeps its case.

    Both kinds of quotes open and close a string, and a string cannot contain a quote. If a quote is not
    closed there are no words.

    Example:
        >>> split_words("SELECT name FROM t WHERE a >= 'X y' AND b=2")
        ['select', 'name', 'from', 't', 'where', 'a', '>=', '"X y"', 'and', 'b=2']
    """
    pieces = sql.replace("'", '"').split('"')
    if len(pieces) % 2 == 0:
        return []
    strings = {f"__val_{place}__": f'"{piece}"' for place, piece in enumerate(pieces) if place % 2}
    pieces[1::2] = strings  # keeps a string together with the text that touches it
    found: list[str] = []
    for word in _SEPARATE.sub(r" \g<0> ", "".join(pieces)).lower().split():
        if word == "=" and found and found[-1] in ("!", "<", ">"):
            found[-1] += "="
        else:
            found.append(strings.get(word, word))
    return found
