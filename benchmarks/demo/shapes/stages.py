"""Shapes with several stages: set operations, and queries of the result of a query."""

from dataclasses import replace

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.predicates import Predicate
from benchmarks.demo.queries.query import Condition, Select, Sketch
from benchmarks.demo.queries.sampler import Sampler, Unfit
from benchmarks.demo.shapes.clause import (
    draw_extreme,
    draw_filter,
    draw_group,
    join_children,
    join_parent,
    qualify,
    require_known,
)
from benchmarks.demo.shapes.groups import name_year
from benchmarks.demo.tables.table import MEASURES, Kind, Link

Conditions = tuple[Condition, ...]


def select_with_child(link: Link, p: Predicate) -> Select:
    """Select the titles of the parents with such a child."""
    t = link.parent
    return Select((qualify(t, t.title),), t.name, (join_children(link),), (p.on(link.child.name),))


def make_compound(left: Select, operator: str, right: Select, *questions: str, reasoning: str) -> Sketch:
    """Make the sketch of two selects and a set operator.

    Neither side alone and no other operator may give the same result.
    """
    others = sorted({"UNION", "INTERSECT", "EXCEPT"} - {operator})
    sides = (replace(side, distinct=True).sql for side in (left, right))
    return Sketch(
        sql=f"{left.sql} {operator} {right.sql}",
        questions=questions,
        reasoning=reasoning,
        must_differ=(*sides, *(f"{left.sql} {other} {right.sql}" for other in others)),
    )


def union(s: Sampler) -> Sketch:
    link = s.link()
    t, child, title = link.parent, link.child, link.parent.title
    p, q = predicates.draw_common(s, t), predicates.draw_common(s, child)
    who = f"{p.phrase()} or that have any {link.inverse} {q.phrase()}"
    return make_compound(
        Select((title.name,), t.name, where=(p.on(),)),
        "UNION",
        select_with_child(link, q),
        f"List, once each, the {title.label} of the {t.many} {who}.",
        f"Which {t.many} are {t.many} {who}? Give each {title.label} once.",
        f"Show the distinct {title.label} of all {t.many} {who}.",
        reasoning=f"First {t.name} by {p.column.name}. Then {t.name} with {child.name} by {q.column.name}. "
        f"Unite both; return {title.name}.",
    )


def both_children(s: Sampler, operator: str, words: str, last_step: str) -> Sketch:
    link = s.link()
    t, child, title = link.parent, link.child, link.parent.title
    p, q = predicates.draw_common(s, child), predicates.draw_common(s, child)
    if p.sql == q.sql and p.column is q.column:
        raise Unfit("both predicates are equal")
    who = f"any {link.inverse} {p.phrase()} {words} any {q.phrase()}"
    return make_compound(
        select_with_child(link, p),
        operator,
        select_with_child(link, q),
        f"Which {t.many} have {who}? Give each {title.label} once.",
        f"List, once each, the {title.label} of the {t.many} that have {who}.",
        f"Show the distinct {title.label} of all {t.many} with {who}.",
        reasoning=f"First {t.name} with {child.name} by {p.column.name}. Then {t.name} with {child.name} "
        f"by {q.column.name}. {last_step}; return {title.name}.",
    )


def counts_above_average(s: Sampler) -> Sketch:
    link = s.link()
    t, title = link.parent, link.parent.title
    f = draw_filter(s, link.child, 0.75, owner=link.child.name)
    theirs = f"{link.inverse}{f.among}"

    def text(where: Conditions, keep: str = " WHERE n > (SELECT AVG(n) FROM counts)") -> str:
        columns = (f"{qualify(t, title)} AS {title.name}", "COUNT(*) AS n")
        counts = Select(columns, link.child.name, (join_parent(link),), where, group=qualify(t))
        return f"WITH counts AS ({counts.sql}) SELECT {title.name}, n FROM counts{keep}"

    return Sketch(
        text(f.where),
        (
            f"Count the {theirs} of each {t.one} that has any. Which counts are above their average? "
            f"Give {title.label} and count.",
            f"List {title.label} and number of {theirs} of each {t.one} whose number of these is above "
            f"the average over all {t.many} that have some.",
            f"Of all {t.many} with {theirs}, show {title.label} and number for those that have more of them "
            "than average.",
        ),
        f"Count {link.child.name}{f.by} per {t.name} as counts. Average n. "
        f"Return {title.name} and n above it.",
        must_differ=(text(f.where, ""), *drop_filter(text(()), f.where)),
    )


def drop_filter(sql: str, where: Conditions) -> tuple[str, ...]:
    """Return the query without its conditions, if it has some."""
    return (sql,) if where else ()


def best_of_group(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    column = s.column(t, *MEASURES, full=True)
    descending, word = draw_extreme(s, column)
    (shown,) = s.shown(t, 1, but=(group, column))
    f = draw_filter(s, t, 0.7, but=(group, column))
    of = f" among the {t.many}{f.among}" if f.among else ""

    def text(where: Conditions, descending: bool, function: str = "RANK") -> str:
        order = f"PARTITION BY {group.name} ORDER BY {column.name} {'DESC' if descending else 'ASC'}"
        inner = Select((group.name, shown.name, f"{function}() OVER ({order}) AS place"), t.name, where=where)
        return f"SELECT {group.name}, {shown.name} FROM ({inner.sql}) WHERE place = 1"

    return Sketch(
        text(f.where, descending),
        (
            f"For each {group.label}, which of its {t.many}{f.among} has the {word} {column.label}? "
            f"Give {group.label} and {shown.label}.",
            f"List every {group.label} with the {shown.label} of the {t.one} that has the {word} "
            f"{column.label} among its {t.many}{f.among}.",
            f"Within each {group.label}, find the {t.one} with the {word} {column.label}{of}; "
            f"show {group.label} and {shown.label}.",
        ),
        f"{f'Keep {t.name}{f.by}. ' if f.by else ''}Rank {t.name} within {group.name} by {column.name} "
        f"{'descending' if descending else 'ascending'}. Keep place 1. "
        f"Return {group.name} and {shown.name}.",
        must_differ=(text(f.where, not descending), *drop_filter(text((), descending), f.where)),
        must_equal=(text(f.where, descending, "ROW_NUMBER"),),
    )


def running_count(s: Sampler) -> Sketch:
    t = s.table(Kind.DATE)
    column = s.column(t, Kind.DATE, full=True)
    f = draw_filter(s, t, 0.85, but=(column,))
    which = f"{t.many}{f.among}"

    def text(where: Conditions, total: str = "SUM(n) OVER (ORDER BY year)") -> str:
        columns = (f"strftime('%Y', {column.name}) AS year", "COUNT(*) AS n")
        return f"SELECT year, {total} FROM ({Select(columns, t.name, where=where, group='year').sql})"

    return Sketch(
        text(f.where),
        (
            f"Show the running total of {which} by {name_year(column)}, as year and total.",
            f"For each {name_year(column)}, how many {which} are there up to and including that year?",
            f"Give every {name_year(column)} with the cumulative number of {which}.",
        ),
        f"Count {t.name}{f.by} per year of {column.name}. Sum the counts over the years. "
        "Return year and total.",
        must_differ=(text(f.where, "n"), *drop_filter(text(()), f.where)),
    )


def aggregate_of_counts(s: Sampler) -> Sketch:
    link = s.link()
    t, child, fk = link.parent, link.child, link.column
    function, word = s.pick((("AVG", "average"), ("MAX", "highest"), ("MIN", "lowest")))
    f = draw_filter(s, child, 0.85)
    theirs = f"{link.inverse}{f.among}"

    def text(where: Conditions, function: str) -> str:
        inner = Select(("COUNT(*) AS n",), child.name, where=(*where, *require_known(fk)), group=fk.name)
        return f"SELECT {function}(n) FROM ({inner.sql})"

    return Sketch(
        text(f.where, function),
        (
            f"Over the {t.many} with any {theirs}, what is the {word} number of these per {t.one}?",
            f"Count the {theirs} of every {t.one} that has some. What is the {word} count?",
            f"Give the {word} number of {theirs} that {t.many} have, leaving out {t.many} without any.",
        ),
        f"Count {child.name}{f.by} per {fk.name}. Return {function} of the counts.",
        must_differ=(*drop_filter(text((), function), f.where), text(f.where, "SUM")),
    )
