"""Odd values, as SQL: for each engine, and for each type of DuckDB."""

from __future__ import annotations

from random import Random

NUMBERS = (
    *["0", "1", "-1", "2", "3.5", "-0.0", "255", "256", "65536", "2147483647", "2147483648", "-2147483649", "4294967296", "9007199254740993"],
    *["9223372036854775807", "-9223372036854775808", "9223372036854775808", "9e999", "-9e999", "1e308", "5e-324", "1e-400"],
    *["18446744073709551616", "170141183460469231731687303715884105727", "1e19", "0x7fffffffffffffff"],
)

TEXTS = (
    *("''", "'a'", "'é'", "'é😀'", "'%é'", "'😀'", "'e\u0301'", "'\u202e'", "'\ufeff'", "'\u0000'", "'a\nb'"),
    *("'1'", "'-1'", "'9e999'", "'NaN'", "'inf'", "'0x10'", "'null'", "'true'", "'2024-02-30'", "'now'"),
    *(
        "'%'",
        "'%s'",
        "'%99999d'",
        "'%n'",
        "'{}'",
        "'[]'",
        "'[1,2'",
        "'{\"a\":1}'",
        "'$.a'",
        "'$[#-1]'",
        "'$'",
    ),
    *(
        "'('",
        "'(a+)+$'",
        "'[[:alpha:]]'",
        "'\\'",
        "'\\\\x'",
        "'*'",
        "'..'",
        "'/etc/passwd'",
        "'/proc/self/environ'",
    ),
    *(
        "'main'",
        "'book'",
        "'author'",
        "'shelf'",
        "'rowid'",
        "'SELECT 1'",
        "'UTC'",
        "'Nowhere/Zone'",
        "'utf-8'",
    ),
    *("'sum'", "'random'", "'YEAR'", "'P1Y'", "'00:00:00'", "'infinity'", "'::1'", "'x' COLLATE NOCASE"),
)

COLUMNS = (
    "id",
    "name",
    "title",
    "price",
    "pages",
    "body",
    "cover",
    "photo",
    "loud",
    "half",
    "born",
    "facts",
    "*",
)

TABLES = {
    "sqlite": (
        *("author", "book", "priced", '"odd name"', "search", "box", "sqlite_schema", "sqlite_temp_schema"),
        *(
            "main.book",
            "temp.book",
            "search_data",
            "box_node",
            "sqlite_stat1",
            "pragma_table_list",
            "nowhere",
        ),
    ),
    "duckdb": (
        *(
            "author",
            "book",
            "priced",
            '"odd name"',
            "main.book",
            "shelf.main.book",
            "shelf.author",
            "nowhere",
        ),
        *("information_schema.tables", "pg_catalog.pg_class", "sqlite_master", "duckdb_tables", "cheap(9)"),
        *(
            "information_schema.columns",
            "pg_catalog.pg_settings",
            "duckdb_settings",
            "'/etc/passwd'",
            "'x.csv'",
        ),
    ),
}

SQLITE_VALUES = (
    *(
        "NULL",
        "x''",
        "x'ff'",
        "x'00'",
        "x'c3'",
        "x'eda080'",
        "char(55296)",
        "char(0)",
        "char(1114112)",
        "char(-1)",
    ),
    *(
        "zeroblob(0)",
        "zeroblob(-1)",
        "zeroblob(5000)",
        "randomblob(9e999)",
        "randomblob(-1)",
        "CURRENT_TIMESTAMP",
    ),
    *("CAST(x'ff61' AS TEXT)", "CAST(x'eda080' AS TEXT)", "hex(zeroblob(3000))", "printf('%.*c', 5000, 'x')"),
    *("jsonb('[1,{}]')", "json('{}')", "x'cb1300'", "x'0f'", "(SELECT body FROM book)", "(1, 2)", "TRUE"),
    *("fts5_source_id()", "sqlite_version()", "random()", '"no column"', "?1", ":a", "1 COLLATE NOCASE"),
)

DUCKDB_VALUES = (
    *(
        "NULL",
        "'\\xFF'::BLOB",
        "'\\xC3'::BLOB",
        "''::BLOB",
        "chr(55296)",
        "chr(0)",
        "chr(-1)",
        "true",
        "[]",
        "{}",
    ),
    *("['a', NULL]", "[[], [1]]", "{'a': 1}", "{'é': [NULL]}", "MAP {'k': 1}", "MAP {}", "ROW(1, 'a')"),
    *("'nan'::DOUBLE", "'inf'::FLOAT", "1.5::DECIMAL(38, 10)", "1::UTINYINT", "1::HUGEINT", "1::UHUGEINT"),
    *("DATE '5881580-07-10'", "DATE 'epoch'", "TIMESTAMP 'infinity'", "TIME '24:00:00'", "INTERVAL 1 YEAR"),
    *(
        "'10'::BIT",
        "uuid()",
        "random()",
        "repeat('x', 5000)",
        "range(5)",
        "x -> x",
        "(x, y) -> x",
        "'glad'::mood",
    ),
    *(
        "TIMESTAMPTZ '2020-01-01'",
        "'{\"a\": [1]}'::JSON",
        "current_date",
        "(SELECT 1)",
        "COLUMNS('.*')",
        "#1",
        "$1",
    ),
    *("b'\\x'", "e'\\xff'", "$$a$$", "1::VARIANT", "union_value(k := 1)", "'x'::VARCHAR COLLATE NOCASE", "?"),
    *(
        "INTERVAL '9223372036854775807 days'",
        "'a'::VARIANT",
        "DEFAULT",
        "*",
        "interval (id) month",
        "1::BIGNUM",
    ),
)

_OF_TYPE = {
    "VARCHAR": TEXTS,
    "BLOB": ("'\\xFF'::BLOB", "'\\xC3\\x28'::BLOB", "''::BLOB", "'\\x00'::BLOB", "encode('é')", "cover"),
    "BOOLEAN": ("true", "false", "NULL::BOOLEAN"),
    "DATE": ("DATE '2020-02-29'", "DATE 'infinity'", "DATE '-290307-12-31 (BC)'", "DATE '5881580-07-10'"),
    "TIME": ("TIME '24:00:00'", "TIME '00:00:00.000001'"),
    "INTERVAL": ("INTERVAL 1 MONTH", "INTERVAL '-1 us'", "INTERVAL 2147483647 MONTH", "INTERVAL '0 days'"),
    "BIT": ("'1'::BIT", "'0101'::BIT", "''::BIT", "bitstring('1', 4000)"),
    "UUID": ("uuid()", "'00000000-0000-0000-0000-000000000000'::UUID"),
    "JSON": ("'{}'::JSON", "'[1, {\"a\": null}]'::JSON", "'\"é\"'::JSON", "facts"),
    "LAMBDA": ("x -> x", "(x, y) -> x + y", "lambda x: x", "x -> NULL", "x -> error('e')"),
    "MAP": ("MAP {}", "MAP {'k': 1}", "MAP {NULL: 1}", "notes"),
    "STRUCT": ("{'a': 1}", "{'a': {'b': []}}", "place", "ROW(1, 2)"),
}
_TIMES = (
    "TIMESTAMP '2020-01-01'",
    "TIMESTAMP 'infinity'",
    "TIMESTAMP '-290308-12-21 (BC) 19:59:05.224193'",
    "sold",
)
_LISTS = ("[]", "[NULL]", "['a', 'é']", "[1, 2]", "[[1], []]", "range(300)", "tags", "['nan'::FLOAT]")


def pick_of_type(kind: str, random: Random) -> str:
    """Return a DuckDB value of a type, or a cast to it."""
    if kind.endswith("]") or kind.startswith("LIST"):
        return random.choice(_LISTS)
    if kind.startswith("TIMESTAMP"):
        return f"({random.choice(_TIMES)})::{kind}"
    base = kind.partition("(")[0]
    if base in _OF_TYPE:
        return random.choice(_OF_TYPE[base])
    if base in ("ANY", "T", "K", "V", "TABLE"):
        return random.choice(random.choice((NUMBERS, TEXTS, DUCKDB_VALUES)))
    return random.choice((*NUMBERS, f"NULL::{kind}", f"({random.choice(NUMBERS)})::{kind}"))
