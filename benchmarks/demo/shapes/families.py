"""Shapes of parents with the number, the values or the variety of their children."""

from dataclasses import replace

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.query import Condition, Select, Sketch, make_sketch
from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.shapes.clause import (
    COUNTS,
    draw_aggregate,
    draw_filter,
    join_children,
    join_parent,
    qualify,
)
from benchmarks.demo.tables.table import ORDERED, Kind, Link


def select_per_parent(link: Link, *more: str) -> Select:
    """Select the titles of the parents, and further columns about their children."""
    t = link.parent
    return Select((qualify(t, t.title), *more), link.child.name, (join_parent(link),), group=qualify(t))


def join_group_count(s: Sampler) -> Sketch:
    link = s.link()
    t, title = link.parent, link.parent.title.label
    f = draw_filter(s, link.child, 0.7, owner=link.child.name)
    theirs = f"{link.inverse}{f.among}"
    return make_sketch(
        replace(select_per_parent(link, "COUNT(*)"), where=f.where),
        f"For each {t.one} with {theirs}, show the {title} and how many there are.",
        f"Count the {theirs} of every {t.one} that has any; show {title} and count.",
        f"List the {title} and the number of {theirs} of each {t.one} that has some.",
    )


def join_group_aggregate(s: Sampler) -> Sketch:
    link = s.link()
    t, title = link.parent, link.parent.title.label
    column = s.column(link.child, *ORDERED)
    agg = draw_aggregate(s, column)
    f = draw_filter(s, link.child, 0.4, but=(column,), owner=link.child.name)
    theirs, value = f"{link.inverse}{f.among}", f"{agg.word} {column.label}"
    return make_sketch(
        replace(select_per_parent(link, agg.of(qualify(link.child, column))), where=f.where),
        f"What is the {value} of the {theirs} of each {t.one} that has any? "
        f"Show the {title}, then the value.",
        f"For every {t.one} with {theirs}, give the {title} and their {value}.",
        f"List the {title} and the {value} of the {theirs} for each {t.one} that has some.",
    )


def join_having(s: Sampler) -> Sketch:
    link = s.link()
    t, title = link.parent, link.parent.title.label
    sign, words = s.pick(COUNTS)
    n = s.pick(range(2, 12))
    f = draw_filter(s, link.child, 0.3, owner=link.child.name)
    some = " but at least one" if sign in ("<", "<=") else ""
    theirs = f"{words} {n} {link.inverse}{f.among}{some}"
    having = Condition(f"COUNT(*) {sign} {n}", "COUNT(*)")
    return make_sketch(
        replace(select_per_parent(link), where=f.where, having=(having,)),
        f"Which {t.many} have {theirs}? Give their {title}.",
        f"List the {title} of each {t.one} with {theirs}.",
        f"Show the {title} of all {t.many} that have {theirs}.",
    )


def busiest(s: Sampler) -> Sketch:
    link = s.link()
    t, title = link.parent, link.parent.title.label
    k = s.pick((1, 1, 2, 3, 4, 5))
    descending, word = s.pick(((True, "most"), (True, "most"), (False, "fewest")))
    f = draw_filter(s, link.child, 0.6, owner=link.child.name)
    some = "" if descending else ", of those that have any"
    who, have, order = (t.one, "has", "") if k == 1 else (f"{k} {t.many}", "have", f", {word} first")
    theirs = f"the {word} {link.inverse}{f.among}{some}"
    return make_sketch(
        replace(select_per_parent(link), where=f.where, order="COUNT(*)", descending=descending, limit=k),
        f"Which {who} {have} {theirs}? Give the {title}{order}.",
        f"Find the {who} with {theirs} and show the {title}{order}.",
        f"Give the {title} of the {who} with {theirs}{order}.",
    )


def left_join_count(s: Sampler) -> Sketch:
    link = s.link()
    t, title = link.parent, link.parent.title.label
    f = draw_filter(s, t, 0.8, owner=t.name)
    columns = (qualify(t, t.title), f"COUNT({qualify(link.child, link.column)})")
    counted = Select(columns, t.name, (join_children(link, "LEFT JOIN"),), f.where, group=qualify(t))
    return make_sketch(
        counted,
        f"How many {link.inverse} does each {t.one}{f.among} have? Show {title} and count, zeros included.",
        f"For every {t.one}{f.among}, even those without any, show the {title} and the number of "
        f"{link.inverse}.",
        f"List the {title} and the number of {link.inverse}, possibly 0, of each {t.one}{f.among}.",
        must_differ=(replace(counted, joins=(join_children(link),)).sql,),
    )


def more_of_one_kind(s: Sampler) -> Sketch:
    link = s.link(Kind.CATEGORY)
    t, child, title = link.parent, link.child, link.parent.title.label
    column = s.column(child, Kind.CATEGORY)
    values = s.some(sorted(set(map(str, s.values(child, column)))), 2)
    p, q = (predicates.make_equal(s, column, value) for value in values)
    left, right = (f"SUM(CASE WHEN {x.on(child.name).sql} THEN 1 ELSE 0 END)" for x in (p, q))
    more = Condition(f"{left} > {right}", f"sums of CASE on {column.name}")
    return make_sketch(
        replace(select_per_parent(link), having=(more,)),
        f"Which {t.many} have more {link.inverse} {p.phrase()} than {link.inverse} {q.phrase()}? "
        f"Give their {title}.",
        f"List the {title} of each {t.one} with more {link.inverse} {p.phrase()} than {q.phrase()}.",
        f"Show the {title} of the {t.many} that have fewer {link.inverse} {q.phrase()} than {p.phrase()}.",
    )


def busiest_by_far_table(s: Sampler) -> Sketch:
    near, far = s.bridge()
    t, title = near.parent, near.parent.title.label
    p = predicates.draw_common(s, far.parent)
    k = s.pick((1, 2, 3, 4, 5))
    who, have, order = (t.one, "has", "") if k == 1 else (f"{k} {t.many}", "have", ", most first")
    theirs = f"{near.inverse} {p.of(far.role)}"
    return make_sketch(
        replace(
            select_per_parent(near, "COUNT(*)"),
            joins=(join_parent(near), join_parent(far)),
            where=(p.on(far.parent.name),),
            order="COUNT(*)",
            descending=True,
            limit=k,
        ),
        f"Which {who} {have} the most {theirs}? Give {title} and number{order}.",
        f"Find the {who} with the most {theirs} and show {title} and number{order}.",
        f"Give {title} and number of {theirs} for the {who} with the highest number{order}.",
    )


def variety(s: Sampler) -> Sketch:
    near, far = s.bridge()
    t, title = near.parent, near.parent.title.label
    column = s.column(far.parent, Kind.CATEGORY, full=True)
    n = s.pick((1, 2, 3, 4))
    f = draw_filter(s, t, 0.6, owner=t.name)
    count = f"COUNT(DISTINCT {qualify(far.parent, column)})"
    kinds = f"different {far.role} {column.plural}"
    return make_sketch(
        replace(
            select_per_parent(near, count),
            joins=(join_parent(near), join_parent(far)),
            where=f.where,
            having=(Condition(f"{count} > {n}", "that count"),),
        ),
        f"Which {t.many}{f.among} have {near.inverse} that cover more than {n} {kinds}? "
        f"Give {title} and the number of {column.plural}.",
        f"List {title} and number of {kinds} over the {near.inverse} of each {t.one}{f.among}, "
        f"where that number is above {n}.",
        f"For the {t.many}{f.among}{f.also} whose {near.inverse} cover more than {n} {kinds}, "
        f"show {title} and how many.",
    )
