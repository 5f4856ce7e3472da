"""Level ``simple``: one table, one clause."""

from __future__ import annotations

from functools import partial

from benchmarks.demo import predicates
from benchmarks.demo.english import aggregate, extreme, labels
from benchmarks.demo.predicates import Test
from benchmarks.demo.query import Select
from benchmarks.demo.sampler import Sampler
from benchmarks.demo.shapes.clause import guard, names, of_those, optional
from benchmarks.demo.sketch import Shape, Sketch, sketch
from benchmarks.demo.table import ORDERED, Kind


def project(s: Sampler) -> Sketch:
    t = s.table()
    columns = s.shown(t, s.pick((1, 2, 2, 3)))
    return sketch(
        Select(names(columns), t.name),
        f"List the {labels(columns)} of every {t.one}.",
        f"Show all {t.many} with their {labels(columns)}.",
        f"What is the {labels(columns)} of each {t.one}?",
        f"For all {t.many}, give the {labels(columns)}.",
    )


def distinct(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    column = s.column(t, Kind.CATEGORY, full=True)
    where, among = optional(s, t, 0.7, but=column)
    return sketch(
        Select((column.name,), t.name, where=where, distinct=True),
        f"List the different {column.plural} of the {t.many}{among}.",
        f"Which distinct {column.plural} occur among the {t.many}{among}?",
        f"Show every {column.label} found among the {t.many}{among}, without repeats.",
    )


def filtered(s: Sampler, test: Test) -> Sketch:
    t = s.table()
    p = test(s, t)
    columns = s.shown(t, s.pick((1, 1, 2)), but=(p.column,))
    return sketch(
        Select(names(columns), t.name, where=(p.on(),)),
        f"List the {labels(columns)} of all {t.many} {p.phrase()}.",
        f"What is the {labels(columns)} of each {t.one} {p.phrase()}?",
        f"Find the {t.many} {p.phrase()} and show their {labels(columns)}.",
        f"For every {t.one} {p.phrase()}, give the {labels(columns)}.",
        evidence=p.evidence,
    )


def count_where(s: Sampler) -> Sketch:
    t = s.table()
    p = s.pick((predicates.common, predicates.common, predicates.null, predicates.like))(s, t)
    return sketch(
        Select(("COUNT(*)",), t.name, where=(p.on(),)),
        f"How many {t.many} are there {p.phrase()}?",
        f"Count the {t.many} {p.phrase()}.",
        f"What is the number of {t.many} {p.phrase()}?",
        evidence=p.evidence,
    )


def aggregate_where(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED)
    agg = aggregate(s, column)
    where, among = optional(s, t, 0.8, but=column)
    return sketch(
        Select((agg.of(column.name),), t.name, where=where),
        f"What is the {agg.word} {column.label} of the {t.many}{among}?",
        f"Find the {agg.word} {column.label} among all {t.many}{among}.",
        f"Give the {agg.word} {column.label} over the {t.many}{among}.",
    )


def order_by(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED, full=True)
    descending, word = extreme(s, column)
    columns = s.shown(t, s.pick((1, 2)))
    where, among = optional(s, t, 0.4, but=column)
    return sketch(
        Select(names(columns), t.name, where=where, order=column.name, descending=descending),
        f"List the {labels(columns)} of the {t.many}{among}, sorted by {column.label} from the {word}.",
        f"Show the {labels(columns)} of all {t.many}{among}, {word} {column.label} first.",
        f"Order the {t.many}{among} by {column.label}, starting with the {word}, and give their {labels(columns)}.",
    )


def superlative(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED)
    descending, word = extreme(s, column)
    columns = s.shown(t, 1, but=(column,))
    where, among = optional(s, t, 0.5, but=column)
    return sketch(
        Select(
            names(columns),
            t.name,
            where=where + guard(column, descending),
            order=column.name,
            descending=descending,
            limit=1,
        ),
        f"What is the {labels(columns)} of the {t.one} with the {word} {column.label}{of_those(t, among)}?",
        f"Which {t.one} has the {word} {column.label}{of_those(t, among)}? Give its {labels(columns)}.",
        f"Find the {t.one} with the {word} {column.label}{of_those(t, among)} and show its {labels(columns)}.",
    )


def top_k(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED)
    descending, word = extreme(s, column)
    columns = s.shown(t, s.pick((1, 2)))
    k = s.pick((2, 3, 4, 5, 6, 8, 10))
    return sketch(
        Select(
            names(columns),
            t.name,
            where=guard(column, descending),
            order=column.name,
            descending=descending,
            limit=k,
        ),
        f"List the {labels(columns)} of the {k} {t.many} with the {word} {column.label}, {word} first.",
        f"Which {k} {t.many} have the {word} {column.label}? Give their {labels(columns)}, starting with the {word}.",
        f"Sort the {t.many} by {column.label} from the {word} and show the {labels(columns)} of the first {k}.",
    )


SIMPLE: dict[str, Shape] = {
    "project": project,
    "distinct": distinct,
    "filter_equal": partial(filtered, test=predicates.equal),
    "filter_name": partial(filtered, test=predicates.named),
    "filter_flag": partial(filtered, test=predicates.flagged),
    "filter_compare": partial(filtered, test=predicates.compare),
    "filter_between": partial(filtered, test=predicates.between),
    "filter_in": partial(filtered, test=predicates.member),
    "filter_like": partial(filtered, test=predicates.like),
    "filter_null": partial(filtered, test=predicates.null),
    "filter_date": partial(filtered, test=predicates.dated),
    "count_where": count_where,
    "aggregate_where": aggregate_where,
    "order_by": order_by,
    "superlative": superlative,
    "top_k": top_k,
}
