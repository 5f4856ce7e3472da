"""Shapes of joined rows: with a parent, through a link table, without children, with the same table."""

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.predicates import with_article
from benchmarks.demo.queries.query import Condition, Join, Select, Sketch, make_sketch
from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.shapes.clause import (
    draw_aggregate,
    draw_columns,
    draw_extreme,
    draw_filter,
    join_children,
    join_labels,
    join_parent,
    qualify,
    qualify_columns,
)
from benchmarks.demo.tables.table import MEASURES, ORDERED, Column, Link


def join_filter(s: Sampler) -> Sketch:
    link = s.link()
    t, p = link.child, predicates.draw_common(s, link.parent)
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)))
    return make_sketch(
        Select(qualify_columns(columns, t), t.name, (join_parent(link),), (p.on(link.parent.name),)),
        f"List the {show} of the {t.many} {p.of(link.role)}.",
        f"Which {t.many} have {with_article(link.role)} {p.phrase()}? Give their {show}.",
        f"Show the {show} of each {t.one} {p.of(link.role)}.",
    )


def join_columns(s: Sampler) -> Sketch:
    link = s.link()
    t, p = link.child, predicates.draw_common(s, link.child)
    mine, theirs = s.shown(t, 1, but=(p.column,)), s.shown(link.parent, 1)
    show = f"the {join_labels(mine)} and the {link.role}'s {join_labels(theirs)}"
    columns = qualify_columns(mine, t) + qualify_columns(theirs, link.parent)
    return make_sketch(
        Select(columns, t.name, (join_parent(link),), (p.on(t.name),)),
        f"For each {t.one} {p.phrase()}, show {show}.",
        f"List {show} of all {t.many} {p.phrase()}.",
        f"What are {show} for every {t.one} {p.phrase()}?",
    )


def join_count(s: Sampler) -> Sketch:
    link = s.link()
    t, p = link.child, predicates.draw_common(s, link.parent)
    return make_sketch(
        Select(("COUNT(*)",), t.name, (join_parent(link),), (p.on(link.parent.name),)),
        f"How many {t.many} have {with_article(link.role)} {p.phrase()}?",
        f"Count the {t.many} {p.of(link.role)}.",
        f"What is the number of {t.many} {p.of(link.role)}?",
    )


def join_aggregate(s: Sampler) -> Sketch:
    link = s.link()
    t, p = link.child, predicates.draw_common(s, link.parent)
    column = s.column(t, *MEASURES)
    agg = draw_aggregate(s, column)
    return make_sketch(
        Select((agg.of(qualify(t, column)),), t.name, (join_parent(link),), (p.on(link.parent.name),)),
        f"What is the {agg.word} {column.label} of the {t.many} {p.of(link.role)}?",
        f"Find the {agg.word} {column.label} among {t.many} with {with_article(link.role)} {p.phrase()}.",
        f"Give the {agg.word} {column.label} over all {t.many} {p.of(link.role)}.",
    )


def join_superlative(s: Sampler) -> Sketch:
    link = s.link()
    t, p = link.child, predicates.draw_common(s, link.parent)
    column = s.column(t, *ORDERED, full=True)
    descending, word = draw_extreme(s, column)
    columns, show = draw_columns(s, t, 1, but=(column,))
    of = f"among the {t.many} {p.of(link.role)}"
    return make_sketch(
        Select(
            qualify_columns(columns, t),
            t.name,
            (join_parent(link),),
            (p.on(link.parent.name),),
            order=qualify(t, column),
            descending=descending,
            limit=1,
        ),
        f"Which {t.one} has the {word} {column.label} {of}? Give the {show}.",
        f"What is the {show} of the {t.one} with the {word} {column.label} {of}?",
        f"Find the {t.one} with the {word} {column.label} {of} and show the {show}.",
    )


def three_tables(s: Sampler) -> Sketch:
    near, far = s.bridge()
    t, p = near.parent, predicates.draw_common(s, far.parent)
    title, which = t.title.label, f"{near.inverse} {p.of(far.role)}"
    return make_sketch(
        Select(
            (qualify(t, t.title),),
            t.name,
            (join_children(near), join_parent(far)),
            (p.on(far.parent.name),),
            distinct=True,
        ),
        f"Which {t.many} have {which}? List each {title} once.",
        f"List the distinct {title} of all {t.many} that have {which}.",
        f"Give, without repeats, the {title} of each {t.one} with any {which}.",
    )


def three_tables_count(s: Sampler) -> Sketch:
    near, far = s.bridge()
    t, p, q = near.child, predicates.draw_common(s, near.parent), predicates.draw_common(s, far.parent)
    conditions = (p.on(near.parent.name), q.on(far.parent.name))
    return make_sketch(
        Select(("COUNT(*)",), t.name, (join_parent(near), join_parent(far)), conditions),
        f"How many {t.many} have {with_article(near.role)} {p.phrase()} and {with_article(far.role)} "
        f"{q.phrase()}?",
        f"Count the {t.many} {p.of(near.role)} and {q.of(far.role)}.",
        f"What is the number of {t.many} {p.of(near.role)} and {q.of(far.role)}?",
    )


def anti_join(s: Sampler) -> Sketch:
    link = s.link()
    t, child = link.parent, link.child
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)))
    none = f"{child.name} missing"
    f = draw_filter(s, t, 0.7, owner=t.name)
    missing = Condition(f"{qualify(child, link.column)} IS NULL", none)
    return make_sketch(
        Select(qualify_columns(columns, t), t.name, (join_children(link, "LEFT JOIN"),), (*f.where, missing)),
        f"Which {t.many}{f.among} have no {link.inverse} at all? Give the {show} of each.",
        f"List the {show} of the {t.many}{f.among}{f.also} without any {link.inverse}.",
        f"Show the {show} of every {t.one}{f.among}{f.also} that does not have any {link.inverse}.",
    )


def self_join_compare(s: Sampler) -> Sketch:
    link = s.own_link()
    t = link.child
    column = s.column(t, *ORDERED, full=True)
    sign, word = s.pick(((">", column.scale.above), ("<", column.scale.below)))
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)), but=(column,))
    f = draw_filter(s, t, 0.7, but=(column,), owner="a")
    beyond = Condition(f"a.{column.name} {sign} b.{column.name}", f"a.{column.name} {word} b.{column.name}")
    return make_sketch(
        Select(*select_self_join(link, columns), where=(*f.where, beyond)),
        f"List the {show} of the {t.many}{f.among}{f.also} whose {column.label} is {word} that of their "
        f"{link.role}.",
        f"Which {t.many}{f.among} have {with_article(column.label)} {word} that of their {link.role}? "
        f"Give their {show}.",
        f"Show the {show} of every {t.one}{f.among}{f.also} with {with_article(column.label)} {word} the "
        f"{link.role}'s.",
    )


def self_join_filter(s: Sampler) -> Sketch:
    link = s.own_link()
    t, p = link.child, predicates.draw_common(s, link.child)
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)))
    return make_sketch(
        Select(*select_self_join(link, columns), where=(p.on("b"),)),
        f"List the {show} of the {t.many} {p.of(link.role)}.",
        f"Which {t.many} have {with_article(link.role)} {p.phrase()}? Give their {show}.",
        f"Show the {show} of each {t.one} {p.of(link.role)}.",
    )


def select_self_join(link: Link, columns: list[Column]) -> tuple[tuple[str, ...], str, tuple[Join, ...]]:
    """Return the columns, source and join of a table ``a`` that is joined with itself as ``b``."""
    t = link.child
    join = Join(f"{t.name} AS b", f"a.{link.column.name} = b.{t.key[0]}")
    return tuple(f"a.{c.name}" for c in columns), f"{t.name} AS a", (join,)
