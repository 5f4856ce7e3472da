"""Shapes of rows of one table: filtered, sorted, or the first few."""

from benchmarks.demo.queries.predicates import Test, format_literal
from benchmarks.demo.queries.query import Condition, Select, Sketch, make_sketch
from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.shapes.clause import (
    COUNTS,
    draw_columns,
    draw_extreme,
    draw_filter,
    draw_two_predicates,
    join_labels,
    qualify_columns,
    require_known,
)
from benchmarks.demo.tables.table import ORDERED, Kind


def project(s: Sampler) -> Sketch:
    t = s.table()
    columns, show = draw_columns(s, t, s.pick((1, 2, 2, 3)))
    return make_sketch(
        Select(qualify_columns(columns), t.name),
        f"List the {show} of every {t.one}.",
        f"Show all {t.many} with their {show}.",
        f"What is the {show} of each {t.one}?",
        f"For all {t.many}, give the {show}.",
    )


def look_up(s: Sampler) -> Sketch:
    t = s.table(Kind.NAME)
    value = str(s.value(t, t.title))
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)), but=(t.title,))
    condition = Condition(f"{t.title.name} = {format_literal(value)}", t.title.name)
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=(condition,)),
        f"What is the {show} of the {t.one} {value}?",
        f"Show the {show} of the {t.one} called {value}.",
        f"Find the {t.one} whose {t.title.label} is {value} and give the {show}.",
    )


def filtered(s: Sampler, test: Test) -> Sketch:
    t = s.table()
    p = test(s, t)
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)), but=(p.column,))
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=(p.on(),)),
        f"List the {show} of all {t.many} {p.phrase()}.",
        f"What is the {show} of each {t.one} {p.phrase()}?",
        f"Find the {t.many} {p.phrase()} and show their {show}.",
        f"For every {t.one} {p.phrase()}, give the {show}.",
        evidence=p.evidence,
    )


def filter_two(s: Sampler, glue: str) -> Sketch:
    t = s.table()
    p, q = draw_two_predicates(s, t)
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)), but=(p.column, q.column))
    who = f"{p.phrase()} {glue.lower()} {q.phrase()}"
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=(p.on(), q.on()), glue=glue),
        f"List the {show} of all {t.many} {who}.",
        f"What is the {show} of each {t.one} {who}?",
        f"For every {t.one} {who}, give the {show}.",
    )


def order_by(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED, full=True)
    descending, word = draw_extreme(s, column)
    columns = s.shown(t, s.pick((1, 2)), but=(column,)) + s.pick(([], [column]))
    show = join_labels(columns)
    f = draw_filter(s, t, 0.4, but=(column,))
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=f.where, order=column.name, descending=descending),
        f"List the {show} of the {t.many}{f.among}, sorted by {column.label} from the {word}.",
        f"Show the {show} of all {t.many}{f.among}, {word} {column.label} first.",
        f"Order the {t.many}{f.among} by {column.label}, {word} first, and give their {show}.",
    )


def superlative(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED)
    descending, word = draw_extreme(s, column)
    columns, show = draw_columns(s, t, 1, but=(column,))
    f = draw_filter(s, t, 0.5, but=(column,))
    # SQLite sorts NULLs first, so an ascending superlative must leave them out
    where = f.where if descending else f.where + require_known(column)
    of = f" among the {t.many}{f.among}" if f.among else ""
    return make_sketch(
        Select(
            qualify_columns(columns), t.name, where=where, order=column.name, descending=descending, limit=1
        ),
        f"What is the {show} of the {t.one} with the {word} {column.label}{of}?",
        f"Which {t.one} has the {word} {column.label}{of}? Give the {show}.",
        f"Find the {t.one} with the {word} {column.label}{of} and show the {show}.",
    )


def top_k(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED)
    descending, word = draw_extreme(s, column)
    columns = s.shown(t, s.pick((1, 2)), but=(column,)) + s.pick(([], [], [column]))
    show = join_labels(columns)
    k = s.pick((2, 3, 4, 5, 6, 8, 10))
    where = () if descending else require_known(column)
    return make_sketch(
        Select(
            qualify_columns(columns), t.name, where=where, order=column.name, descending=descending, limit=k
        ),
        f"List the {show} of the {k} {t.many} with the {word} {column.label}, {word} first.",
        f"Which {k} {t.many} have the {word} {column.label}? Give their {show}, {word} first.",
        f"Sort the {t.many} by {column.label} from the {word} and show the {show} of the first {k}.",
    )


def date_gap(s: Sampler) -> Sketch:
    t = s.pick([t for t in s.domain.tables if any(c.after for c in t.columns)])
    end = next(c for c in t.columns if c.after)
    start = next(c for c in t.columns if c.name == end.after)
    days = s.pick(range(15, 140))
    sign, words = s.pick(COUNTS[:2])
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)), but=(end,))
    gap = f"julianday({end.name}) - julianday({start.name})"
    condition = Condition(f"{gap} {sign} {days}", f"days from {start.name} to {end.name}")
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=(condition,)),
        f"List the {show} of the {t.many} with {words} {days} days between {start.label} and {end.label}.",
        f"Which {t.many} have {words} {days} days from the {start.label} to the {end.label}? "
        f"Give their {show}.",
        f"Show the {show} of each {t.one} whose {end.label} is {words} {days} days after the {start.label}.",
        evidence="The days between two dates are julianday(end) - julianday(start).",
    )
