"""Hostile queries from a grammar, and from mutations of other queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from benchmarks.hostile.bombs import BOMBS
from benchmarks.hostile.functions import Function, list_functions
from benchmarks.hostile.values import (
    COLUMNS,
    DUCKDB_VALUES,
    NUMBERS,
    SQLITE_VALUES,
    TABLES,
    TEXTS,
    pick_of_type,
)

_BINARY = ["+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "IS", "AND", "OR", "LIKE", "GLOB", "&", "|", "<<", ">>", "->", "->>"]
_SQLITE_ONLY = ("MATCH", "REGEXP", "IS NOT DISTINCT FROM", "COLLATE NOCASE =")
_DUCKDB_ONLY = (
    "//",
    "**",
    "^",
    "~",
    "~~~",
    "@>",
    "<@",
    "&&",
    "^@",
    "SIMILAR TO",
    "ILIKE",
    "<->",
    "<=>",
    "!~~*",
    "::",
)
_UNARY = ("-", "~", "NOT", "+", "- -", "@", "!")
_TYPES = {
    "sqlite": ["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "ANY", "NONSENSE"],
    "duckdb": ["INTEGER", "TINYINT", "HUGEINT", "UHUGEINT", "DOUBLE", "FLOAT", "VARCHAR", "BLOB", "BIT", "UUID", "DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "JSON", "VARIANT", "BIGNUM", "DECIMAL(38,37)", "DECIMAL(1,0)", "VARCHAR[]", "INTEGER[3]", "mood", "GEOMETRY", "NONSENSE", "TIMETZ", "STRUCT(a\tINTEGER)", "MAP(VARCHAR,INTEGER)", "UNION(k\tINTEGER)", "TIMESTAMP_NS", "BOOLEAN", "ENUM('a')"],
}
_WRITES = ["DROP TABLE book", "DELETE FROM book", "UPDATE book SET id = 1", "INSERT INTO book (id) VALUES (1)", "ATTACH 'new.db' AS n", "DETACH main", "VACUUM", "VACUUM INTO 'copy.db'", "PRAGMA user_version = 3", "PRAGMA journal_mode = WAL", "BEGIN", "COMMIT", "CREATE TABLE x (a)", "CREATE TEMP TABLE book AS SELECT 1", "CREATE VIEW v AS SELECT 1", "REINDEX", "ANALYZE", "SAVEPOINT s", "CREATE TEMP VIEW author AS SELECT 1 AS id", "ALTER TABLE book RENAME TO y", "COPY book TO 'out.csv'", "COPY (SELECT 1) TO '/tmp/out.csv'", "EXPORT DATABASE 'folder'", "INSTALL httpfs", "LOAD httpfs", "SET threads = 8", "SET enable_external_access = true", "RESET memory_limit", "PREPARE p AS SELECT 1", "EXECUTE p", "CALL pragma_version()", "CREATE MACRO count(x) AS 0", "CREATE SECRET s (TYPE http)", "CREATE SEQUENCE q", "SET VARIABLE v = 1", "CHECKPOINT", "IMPORT DATABASE 'x'", "USE memory", "PRAGMA table_info('book')", "PRAGMA database_list", "FORCE CHECKPOINT", "SELECT 1; SELECT 2", ";;", "SELECT 1;", ".shell touch stolen", "WITH x AS (DELETE FROM book RETURNING 1) SELECT * FROM x"]
_NOISE = (
    *(
        "/*x*/",
        "--\n",
        " ",
        "\t",
        "\n",
        "\x00",
        "\ufeff",
        "\u00a0",
        "é",
        "\ud800",
        "'",
        '"',
        "`",
        "(",
        ")",
        ",",
        ";",
    ),
    *(
        "*",
        "NULL",
        "9e999",
        "x'ff'",
        "char(55296)",
        "1",
        "-",
        "[",
        "]",
        "{",
        "}",
        "::",
        "->",
        "$$",
        "\\",
        "@",
        "?1",
    ),
)


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
        self._odd = (*NUMBERS, *TEXTS, *(DUCKDB_VALUES if self._duckdb else SQLITE_VALUES))
        self._operators = (*_BINARY, *(_DUCKDB_ONLY if self._duckdb else _SQLITE_ONLY))
        self._random = Random(0)
        shapes: tuple[tuple[Callable[[], str], int], ...] = (
            (self._call_only, 34),
            (self._table_call, 10),
            (self._select, 20),
            (self._compound, 4),
            (self._recursion, 2),
            (self._nesting, 3),
            (self._wide, 2),
            (self._mutation, 16),
            (self._rubbish, 3),
            (self._write, 4),
        )
        self._shapes = [shape for shape, _ in shapes]
        self._weights = [weight for _, weight in shapes]

    def make(self, random: Random) -> str:
        """Return one query. It depends only on the state of the random generator."""
        self._random = random
        [shape] = random.choices(self._shapes, self._weights)
        sql = shape()
        return self._prefix(sql) if random.random() < 0.05 else sql

    def make_bomb(self, random: Random) -> str:
        """Return a query that needs as much memory or time as it can get."""
        text = random.choice(BOMBS[self._engine])
        for name in ("{n}", "{m}"):
            while name in text:
                text = text.replace(name, str(int(10 ** random.uniform(1, 9))), 1)
        return text.replace("{w}", ", ".join(["s"] * random.choice((2, 20, 120, 900))))

    # Statements

    def _call_only(self) -> str:
        tail = self._random.choice(("", "", " FROM book LIMIT 3", " FROM author", self._tail()))
        return f"SELECT {self._call(self._pick(self._scalars), 1)}{tail}"

    def _table_call(self) -> str:
        function = self._pick(self._tables)
        arguments = ", ".join(
            self._argument(kind, 1) for kind in function.types[: self._random.randint(0, 5)]
        )
        columns = "*" if self._chance(0.7) else f"count(*), {self._expression(1)}"
        comment = self._random.choice(("", "", "", "/*x*/", " ", "--x\n "))
        return f"SELECT {columns} FROM {function.name}{comment}({arguments}){self._alias()}"

    def _select(self) -> str:
        columns = ", ".join(self._expression(2) for _ in range(self._random.randint(1, 3)))
        return f"SELECT {columns}{self._tail()}"

    def _tail(self) -> str:
        """Return the rest of a query after its columns."""
        table = self._random.choice(TABLES[self._engine])
        text = f" FROM {table}{self._alias()}"
        if self._chance(0.2):
            join = self._random.choice(
                ("JOIN", "LEFT JOIN", "FULL JOIN", "NATURAL JOIN", "ASOF JOIN", "POSITIONAL JOIN")
            )
            text += (
                f" {join} author z{self._random.choice(('', ' ON ' + self._expression(1), ' USING (id)'))}"
            )
        for keyword, probability in (("WHERE", 0.3), ("GROUP BY", 0.15), ("HAVING", 0.05), ("QUALIFY", 0.02)):
            if self._chance(probability):
                text += f" {keyword} {self._expression(2)}"
        if self._chance(0.15):
            text += f" ORDER BY {self._expression(1)} {self._random.choice(('', 'DESC', 'NULLS FIRST', 'COLLATE NOCASE'))}"
        if self._chance(0.15):
            text += f" LIMIT {self._expression(1)}"
        if self._duckdb and self._chance(0.05):
            text += self._random.choice(
                (" USING SAMPLE 10%", " TABLESAMPLE bernoulli(20%)", " USING SAMPLE 3 ROWS")
            )
        return text

    def _compound(self) -> str:
        kind = self._random.choice(
            ("UNION", "UNION ALL", "EXCEPT", "INTERSECT", "UNION BY NAME", "UNION SELECT 1 UNION")
        )
        return f"{self._select()} {kind} {self._select()}"

    def _recursion(self) -> str:
        step = self._random.choice(("i + 1", "i * 2", "i || i", self._expression(1)))
        body = self._random.choice(("sum(i)", "i", "count(*)", "group_concat(i)", self._expression(1)))
        return (
            f"WITH RECURSIVE r(i) AS (SELECT {self._value()} UNION ALL SELECT {step} FROM r "
            f"LIMIT {self._random.choice((10, 1000, 30000))}) SELECT {body} FROM r"
        )

    def _nesting(self) -> str:
        depth = self._random.choice((5, 50, 300, 1500, 6000))
        left, middle, right = self._random.choice(
            [
                ("(", "1", ")"),
                ("-(", "1", ")"),
                ("abs(", "1", ")"),
                ("[", "1", "]"),
                ("coalesce(NULL, ", "x'ff'", ")"),
                ("(SELECT ", "1", ")"),
                ("CASE WHEN 1 THEN ", "1", " END"),
                ("NOT ", "1", ""),
                ("{'a': ", "1", "}"),
                ("json_array(", "1", ")"),
                ("CAST(", "1", " AS TEXT)"),
                ("", "1", " AND 1"),
                ("", "'a'", " || 'a'"),
            ]
        )
        return f"SELECT {left * depth}{middle}{right * depth}"

    def _wide(self) -> str:
        return f"SELECT {', '.join([self._expression(1)] * self._random.choice((10, 200, 1000, 2500)))}"

    def _mutation(self) -> str:
        if self._known and self._chance(0.1):
            sql = self._random.choice(self._known)
        else:
            sql = self._random.choice((self._call_only, self._select, self._table_call))()
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randint(0, len(sql))
            end = min(len(sql), place + int(self._random.expovariate(0.3)))
            middle = self._random.choice(("", self._random.choice(_NOISE), self._value(), sql[place:end] * 2))
            sql = sql[:place] + middle + sql[end:]
        return sql

    def _rubbish(self) -> str:
        if self._chance(0.5):
            return "".join(
                chr(self._random.choice((32, 39, 40, 83, 233, 8364, 55296, 128512, 0, 10))) for _ in range(20)
            )
        return " ".join(
            self._random.choices((*_NOISE, "SELECT", "FROM", "book", "WHERE", "AS", "BY", *COLUMNS), k=15)
        )

    def _write(self) -> str:
        return self._random.choice(_WRITES)

    def _prefix(self, sql: str) -> str:
        prefixes = (
            "EXPLAIN ",
            "EXPLAIN QUERY PLAN ",
            "EXPLAIN ANALYZE ",
            "DESCRIBE ",
            "SUMMARIZE ",
            "/*x*/",
            "\ufeff",
        )
        wrappers = (
            "SELECT * FROM ({})",
            "WITH q AS MATERIALIZED ({}) SELECT * FROM q, q AS p",
            "{}; {}",
            "({})",
            "{};",
        )
        if self._chance(0.5):
            return self._random.choice(prefixes) + sql
        return self._random.choice(wrappers).replace("{}", sql)

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
            cast = self._random.choice(casts[: 3 if self._duckdb else 1])
            return cast.format(inner, self._random.choice(_TYPES[self._engine]))
        if kind <= 6:
            return f"({inner} {self._random.choice(self._operators)} {self._expression(depth - 1)})"
        if kind == 7:
            return f"{self._random.choice(_UNARY[: None if self._duckdb else 5])} ({inner})"
        if kind == 8:
            return f"(SELECT {inner} FROM {self._random.choice(TABLES[self._engine])})"
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
        if not (function.name.isidentifier() or self._chance(0.5)):
            return (
                f" {function.name} ".join(arguments)
                if len(arguments) > 1
                else f"{function.name} {self._value()}"
            )
        name = function.name if function.name.isidentifier() and self._chance(0.9) else f'"{function.name}"'
        distinct = "DISTINCT " if function.kind == "aggregate" and self._chance(0.2) else ""
        comment = "/*x*/" if self._chance(0.03) else ""
        text = f"{name}{comment}({distinct}{', '.join(arguments)})"
        if function.kind == "window" or (function.kind == "aggregate" and self._chance(0.2)):
            frame = self._random.choice(
                ("", f"ROWS {self._value()} PRECEDING", "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING")
            )
            text += f" OVER (PARTITION BY {self._value()} ORDER BY {self._value()} {frame})"
        elif function.kind == "aggregate" and self._chance(0.1):
            text += f" FILTER (WHERE {self._value()})"
        return text

    def _argument(self, kind: str, depth: int) -> str:
        if self._duckdb and self._chance(0.7):
            return pick_of_type(kind, self._random)
        return self._expression(depth)

    def _pick(self, functions: Sequence[Sequence[Function]]) -> Function:
        return self._random.choice(self._random.choice(functions))

    def _value(self) -> str:
        return self._random.choice(COLUMNS if self._chance(0.2) else self._odd)

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
            groups.setdefault(
                each.name[:12] if each.name.startswith("icu_collate_") else each.name, []
            ).append(each)
    return list(groups.values())
