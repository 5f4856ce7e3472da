"""Hostile queries from a grammar, and from mutations of other queries."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.hostile.functions import Function, list_functions

_WORDS: dict[str, Any] = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))
"""Values, names, operators and whole statements, partly by engine."""

_LONG_NAME, _MANY_STARS = "x" * 40_000, ", *" * 800


class Grammar:
    """Makes hostile queries of one engine.

    Args:
        engine: ``sqlite`` or ``duckdb``.
        known: Queries that are repeated with mutations.
    """

    def __init__(self, engine: str, known: Sequence[str] = ()) -> None:
        self._engine = engine
        self._known = known
        self._duckdb = engine == "duckdb"
        self._tables = _group_by_name(engine, tables=True)
        self._scalars = _group_by_name(engine, tables=False)
        self._odd = _WORDS["numbers"] + _WORDS["texts"] + _WORDS["values"][engine]
        self._random = Random(0)
        shapes: tuple[tuple[Callable[[], str], int], ...] = (
            (self._call_alone, 34),
            (self._table_call, 10),
            (self._select, 20),
            (self._compound, 4),
            (self._recursion, 2),
            (self._nesting, 3),
            (self._wide, 2),
            (self._mutation, 16),
            (self._rubbish, 3),
            (lambda: self._choose("statements"), 4),
        )
        self._shapes = [shape for shape, _ in shapes]
        self._weights = [weight for _, weight in shapes]

    def make(self, random: Random) -> str:
        """Return one query. It depends only on the state of the random generator."""
        self._random = random
        [shape] = random.choices(self._shapes, self._weights)
        sql = shape()
        return self._choose("around").replace("{}", sql) if self._chance(0.05) else sql

    def make_bomb(self, random: Random) -> str:
        """Return a query that needs as much memory or time as it can get."""
        text: str = random.choice(_WORDS["bombs"][self._engine])
        for name in ("{n}", "{m}"):
            while name in text:
                text = text.replace(name, str(int(10 ** random.uniform(1, 9))), 1)
        columns = ", ".join(["s"] * random.choice((2, 20, 120, 900)))
        return text.replace("{w}", columns).replace("{x}", _LONG_NAME).replace("{stars}", _MANY_STARS)

    # Statements

    def _call_alone(self) -> str:
        tail = self._random.choice(("", "", " FROM book LIMIT 3", " FROM author", self._tail()))
        return f"SELECT {self._call(self._pick(self._scalars), 1)}{tail}"

    def _table_call(self) -> str:
        function = self._pick(self._tables)
        arguments = [self._argument(kind, 1) for kind in function.types[: self._random.randint(0, 5)]]
        columns = "*" if self._chance(0.7) else f"count(*), {self._expression(1)}"
        comment = self._random.choice(("", "", "", "/*x*/", " ", "--x\n "))
        return f"SELECT {columns} FROM {function.name}{comment}({', '.join(arguments)}){self._alias()}"

    def _select(self) -> str:
        columns = ", ".join(self._expression(2) for _ in range(self._random.randint(1, 3)))
        return f"SELECT {columns}{self._tail()}"

    def _tail(self) -> str:
        """Return the rest of a query after its columns."""
        text = f" FROM {self._choose('tables')}{self._alias()}"
        if self._chance(0.2):
            condition = self._random.choice(("", f" ON {self._expression(1)}", " USING (id)"))
            text += f" {self._choose('joins')} author z{condition}"
        for keyword, probability in (("WHERE", 0.3), ("GROUP BY", 0.15), ("HAVING", 0.05), ("QUALIFY", 0.02)):
            if self._chance(probability):
                text += f" {keyword} {self._expression(2)}"
        if self._chance(0.15):
            order = self._random.choice(("", " DESC", " NULLS FIRST", " COLLATE NOCASE"))
            text += f" ORDER BY {self._expression(1)}{order}"
        if self._chance(0.15):
            text += f" LIMIT {self._expression(1)}"
        if self._duckdb and self._chance(0.05):
            samples = ("USING SAMPLE 10%", "TABLESAMPLE bernoulli(20%)", "USING SAMPLE 3 ROWS")
            text += f" {self._random.choice(samples)}"
        return text

    def _compound(self) -> str:
        kinds = ("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "UNION BY NAME", "UNION SELECT 1 UNION")
        return f"{self._select()} {self._random.choice(kinds)} {self._select()}"

    def _recursion(self) -> str:
        step = self._random.choice(("i + 1", "i * 2", "i || i", self._expression(1)))
        body = self._random.choice(("sum(i)", "i", "count(*)", "group_concat(i)", self._expression(1)))
        rows = self._random.choice((10, 1000, 30000))
        source = f"SELECT {self._value()} UNION ALL SELECT {step} FROM r LIMIT {rows}"
        return f"WITH RECURSIVE r(i) AS ({source}) SELECT {body} FROM r"

    def _nesting(self) -> str:
        depth = self._random.choice((5, 50, 300, 1500, 6000))
        left, middle, right = self._random.choice(_WORDS["nesting"])
        return f"SELECT {left * depth}{middle}{right * depth}"

    def _wide(self) -> str:
        count = self._random.choice((5, 10, 20, 50, 100, 200, 200, 2500))
        return f"SELECT {', '.join([self._expression(1)] * count)}"

    def _mutation(self) -> str:
        if self._known and self._chance(0.1):
            sql = self._random.choice(self._known)
        else:
            sql = self._random.choice((self._call_alone, self._select, self._table_call))()
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randint(0, len(sql))
            end = min(len(sql), place + int(self._random.expovariate(0.3)))
            middle = self._random.choice(("", self._choose("noise"), self._value(), sql[place:end] * 2))
            sql = sql[:place] + middle + sql[end:]
        return sql

    def _rubbish(self) -> str:
        if self._chance(0.5):
            return "".join(
                map(chr, self._random.choices((32, 39, 40, 83, 233, 8364, 55296, 128512, 0), k=20))
            )
        words = ["SELECT", "FROM", "book", "WHERE", "AS", "BY", *_WORDS["columns"], *_WORDS["noise"]]
        return " ".join(self._random.choices(words, k=15))

    # Expressions

    def _expression(self, depth: int) -> str:
        if depth <= 0 or self._chance(0.25):
            return self._value()
        kind = self._random.randint(0, 9)
        if kind <= 3:
            return self._call(self._pick(self._scalars), depth - 1)
        inner = self._expression(depth - 1)
        if kind == 4:
            casts = ("CAST({} AS {})", "TRY_CAST({} AS {})", "({})::{}")
            return self._random.choice(casts[: 3 if self._duckdb else 1]).format(inner, self._choose("types"))
        if kind <= 6:
            return f"({inner} {self._choose('operators')} {self._expression(depth - 1)})"
        if kind == 7:
            return f"{self._choose('prefix_operators')} ({inner})"
        if kind == 8:
            return f"(SELECT {inner} FROM {self._choose('tables')})"
        shapes = (
            f"CASE {inner} WHEN {self._value()} THEN {self._value()} END",
            f"{inner} IN ({self._value()}, {self._value()})",
            f"{inner} BETWEEN {self._value()} AND {self._value()}",
            f"({inner})[{self._value()}]",
            f"({inner})[{self._value()}:{self._value()}]",
            f"[x FOR x IN {inner}]",
            f"({inner}).a",
        )
        return self._random.choice(shapes[: None if self._duckdb else 3])

    def _call(self, function: Function, depth: int) -> str:
        arguments = [self._argument(kind, depth) for kind in function.types]
        if self._chance(0.05):
            arguments.append(self._value())
        word = function.name.isidentifier()
        if not word and self._chance(0.5):
            if len(arguments) < 2:
                return f"{function.name} {self._value()}"
            return f" {function.name} ".join(arguments)
        name = function.name if word and self._chance(0.9) else f'"{function.name}"'
        distinct = "DISTINCT " if function.kind == "aggregate" and self._chance(0.2) else ""
        comment = "/*x*/" if self._chance(0.03) else ""
        text = f"{name}{comment}({distinct}{', '.join(arguments)})"
        if function.kind == "window" or (function.kind == "aggregate" and self._chance(0.2)):
            frames = ("", f"ROWS {self._value()} PRECEDING", "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING")
            frame = self._random.choice(frames)
            return f"{text} OVER (PARTITION BY {self._value()} ORDER BY {self._value()} {frame})"
        if function.kind == "aggregate" and self._chance(0.1):
            return f"{text} FILTER (WHERE {self._value()})"
        return text

    def _argument(self, kind: str, depth: int) -> str:
        if self._duckdb and self._chance(0.7):
            return self._value_of_type(kind)
        return self._expression(depth)

    def _value_of_type(self, kind: str) -> str:
        """Return a DuckDB value of a type, or a cast to it."""
        base = kind.partition("(")[0]
        if kind.endswith("]") or base == "LIST":
            return self._choose("lists")
        if base.startswith("TIMESTAMP"):
            return f"({self._choose('times')})::{kind}"
        if base == "VARCHAR":
            return self._choose("texts")
        if base in _WORDS["of_type"]:
            return str(self._random.choice(_WORDS["of_type"][base]))
        if base in ("ANY", "T", "K", "V", "TABLE"):
            return self._value()
        number = self._choose("numbers")
        return self._random.choice((number, number, number, f"NULL::{kind}", f"({number})::{kind}"))

    # Words

    def _choose(self, name: str) -> str:
        """Return one word of a list; some lists are by engine."""
        words = _WORDS[name]
        return str(self._random.choice(words[self._engine] if isinstance(words, Mapping) else words))

    def _pick(self, functions: Sequence[Sequence[Function]]) -> Function:
        return self._random.choice(self._random.choice(functions))

    def _value(self) -> str:
        return str(self._random.choice(_WORDS["columns"] if self._chance(0.2) else self._odd))

    def _alias(self) -> str:
        return self._random.choice(("", "", "", " AS t", " AS t(a, b)", ' "x""y"'))

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


def _group_by_name(engine: str, tables: bool) -> list[list[Function]]:
    """Return the overloads of each function, so that a function with many overloads is not drawn more often.

    The collations of DuckDB's ICU extension, one for each language, count as one function.
    """
    groups: dict[str, list[Function]] = {}
    for each in list_functions(engine):
        if (each.kind in ("table", "pragma")) == tables:
            collation = each.name.startswith("icu_collate_")
            groups.setdefault("icu_collate" if collation else each.name, []).append(each)
    return list(groups.values())
