"""Level ``moderate``: two conditions, groups, or one join."""

from __future__ import annotations

from functools import partial

from benchmarks.demo import predicates
from benchmarks.demo.english import a, aggregate, extreme, labels
from benchmarks.demo.predicates import Predicate
from benchmarks.demo.query import Condition, Select
from benchmarks.demo.sampler import Sampler, Unfit
from benchmarks.demo.shapes.clause import names, of_those, optional, up
from benchmarks.demo.sketch import Shape, Sketch, sketch
from benchmarks.demo.table import MEASURES, ORDERED, Kind, Table


def two_predicates(s: Sampler, table: Table) -> tuple[Predicate, Predicate]:
    p, q = predicates.common(s, table), predicates.common(s, table)
    if p.column is q.column:
        raise Unfit("twice the same column")
    return p, q


def filter_two(s: Sampler, glue: str) -> Sketch:
    t = s.table()
    p, q = two_predicates(s, t)
    columns = s.shown(t, s.pick((1, 1, 2)), but=(p.column, q.column))
    both = f"{p.phrase()} {glue.lower()} {q.phrase()}"
    return sketch(
        Select(names(columns), t.name, where=(p.on(), q.on()), glue=glue),
        f"List the {labels(columns)} of all {t.many} {both}.",
        f"What is the {labels(columns)} of each {t.one} {both}?",
        f"Find the {t.many} {both} and show their {labels(columns)}.",
    )


def count_distinct(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, Kind.CATEGORY, Kind.REF)
    where, among = optional(s, t, 0.75, but=column)
    return sketch(
        Select((f"COUNT(DISTINCT {column.name})",), t.name, where=where),
        f"How many different {column.plural} do the {t.many}{among} have?",
        f"Count the distinct {column.plural} of the {t.many}{among}.",
        f"What is the number of different {column.plural} among the {t.many}{among}?",
        unlike=(Select((f"COUNT({column.name})",), t.name, where=where).sql,),
    )


def group_count(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    column = s.column(t, Kind.CATEGORY, full=True)
    where, among = optional(s, t, 0.75, but=column)
    return sketch(
        Select((column.name, "COUNT(*)"), t.name, where=where, group=column.name),
        f"How many {t.many}{among} are there for each {column.label}? Show the {column.label} and the count.",
        f"For each {column.label}, count the {t.many}{among}.",
        f"List every {column.label} with its number of {t.many}{among}.",
    )


def group_aggregate(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    column = s.column(t, Kind.CATEGORY, full=True)
    measure = s.column(t, *ORDERED)
    agg = aggregate(s, measure)
    where, among = optional(s, t, 0.4, but=column)
    return sketch(
        Select((column.name, agg.of(measure.name)), t.name, where=where, group=column.name),
        f"What is the {agg.word} {measure.label} of the {t.many}{among} for each {column.label}?",
        f"For every {column.label}, give the {agg.word} {measure.label} of the {t.many}{among}.",
        f"Show each {column.label} with the {agg.word} {measure.label} of its {t.many}{among}.",
    )


def group_having(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    column = s.column(t, Kind.CATEGORY, full=True)
    sign, words = s.pick(((">", "more than"), ("<", "fewer than"), (">=", "at least"), ("<=", "at most")))
    n = s.pick(range(2, max(3, 2 * t.size // len(column.values))))
    where, among = optional(s, t, 0.3, but=column)
    return sketch(
        Select(
            (column.name,),
            t.name,
            where=where,
            group=column.name,
            having=(Condition(f"COUNT(*) {sign} {n}", "COUNT(*)"),),
        ),
        f"Which {column.plural} have {words} {n} {t.many}{among}?",
        f"List each {column.label} that has {words} {n} {t.many}{among}.",
        f"Show the {column.plural} with {words} {n} {t.many}{among}.",
    )


def group_year(s: Sampler) -> Sketch:
    t = s.table(Kind.DATE)
    column = s.column(t, Kind.DATE, full=True)
    year = f"strftime('%Y', {column.name})"
    where, among = optional(s, t, 0.8, but=column)
    return sketch(
        Select((year, "COUNT(*)"), t.name, where=where, group=year),
        f"How many {t.many}{among} are there for each year of the {column.label}? Show year and count.",
        f"Count the {t.many}{among} by the year of their {column.label}.",
        f"For every year of the {column.label}, give the number of {t.many}{among}.",
    )


def most_common(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    column = s.column(t, Kind.CATEGORY, full=True)
    descending, word = s.pick(((True, "most"), (False, "fewest")))
    where, among = optional(s, t, 0.7, but=column)
    return sketch(
        Select(
            (column.name,),
            t.name,
            where=where,
            group=column.name,
            order="COUNT(*)",
            descending=descending,
            limit=1,
        ),
        f"Which {column.label} has the {word} {t.many}{among}?",
        f"Find the {column.label} with the {word} {t.many}{among}.",
        f"Name the {column.label} that has the {word} {t.many}{among}.",
    )


def join_filter(s: Sampler) -> Sketch:
    link = s.link()
    p = predicates.common(s, link.parent)
    columns = s.shown(link.child, s.pick((1, 1, 2)))
    return sketch(
        Select(names(columns, link.child), link.child.name, (up(link),), (p.on(link.parent),)),
        f"List the {labels(columns)} of the {link.child.many} {p.phrase(link.role)}.",
        f"Which {link.child.many} have {a(link.role)} {p.phrase()}? Give their {labels(columns)}.",
        f"Show the {labels(columns)} of each {link.child.one} {p.phrase(link.role)}.",
    )


def join_columns(s: Sampler) -> Sketch:
    link = s.link()
    p = predicates.common(s, link.child)
    mine, theirs = s.shown(link.child, 1, but=(p.column,)), s.shown(link.parent, 1)
    of = f"the {labels(mine)} and the {link.role}'s {labels(theirs)}"
    return sketch(
        Select(
            names(mine, link.child) + names(theirs, link.parent),
            link.child.name,
            (up(link),),
            (p.on(link.child),),
        ),
        f"For each {link.child.one} {p.phrase()}, show {of}.",
        f"List {of} of all {link.child.many} {p.phrase()}.",
        f"What are {of} for every {link.child.one} {p.phrase()}?",
    )


def join_count(s: Sampler) -> Sketch:
    link = s.link()
    p = predicates.common(s, link.parent)
    return sketch(
        Select(("COUNT(*)",), link.child.name, (up(link),), (p.on(link.parent),)),
        f"How many {link.child.many} have {a(link.role)} {p.phrase()}?",
        f"Count the {link.child.many} {p.phrase(link.role)}.",
        f"What is the number of {link.child.many} {p.phrase(link.role)}?",
    )


def join_aggregate(s: Sampler) -> Sketch:
    link = s.link()
    measure = s.column(link.child, *MEASURES)
    agg = aggregate(s, measure)
    p = predicates.common(s, link.parent)
    return sketch(
        Select(
            (agg.of(f"{link.child.name}.{measure.name}"),), link.child.name, (up(link),), (p.on(link.parent),)
        ),
        f"What is the {agg.word} {measure.label} of the {link.child.many} {p.phrase(link.role)}?",
        f"Find the {agg.word} {measure.label} among {link.child.many} with {a(link.role)} {p.phrase()}.",
        f"Give the {agg.word} {measure.label} over all {link.child.many} {p.phrase(link.role)}.",
    )


def join_superlative(s: Sampler) -> Sketch:
    link = s.link()
    p = predicates.common(s, link.parent)
    measure = s.column(link.child, *ORDERED, full=True)
    descending, word = extreme(s, measure)
    columns = s.shown(link.child, 1, but=(measure,))
    among = of_those(link.child, f" {p.phrase(link.role)}")
    return sketch(
        Select(
            names(columns, link.child),
            link.child.name,
            (up(link),),
            (p.on(link.parent),),
            order=f"{link.child.name}.{measure.name}",
            descending=descending,
            limit=1,
        ),
        f"Which {link.child.one} has the {word} {measure.label}{among}? Give its {labels(columns)}.",
        f"What is the {labels(columns)} of the {link.child.one} with the {word} {measure.label}{among}?",
        f"Find the {link.child.one} with the {word} {measure.label}{among} and show its {labels(columns)}.",
    )


MODERATE: dict[str, Shape] = {
    "filter_and": partial(filter_two, glue="AND"),
    "filter_or": partial(filter_two, glue="OR"),
    "count_distinct": count_distinct,
    "group_count": group_count,
    "group_aggregate": group_aggregate,
    "group_having": group_having,
    "group_year": group_year,
    "most_common": most_common,
    "join_filter": join_filter,
    "join_columns": join_columns,
    "join_count": join_count,
    "join_aggregate": join_aggregate,
    "join_superlative": join_superlative,
}
