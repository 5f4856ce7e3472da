"""Level ``complex``: joins with groups, three tables, one level of nesting."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.demo import predicates
from benchmarks.demo.english import a, aggregate, labels
from benchmarks.demo.query import Condition, Join, Select
from benchmarks.demo.sampler import Sampler
from benchmarks.demo.shapes.clause import down, names, optional, qualified, up
from benchmarks.demo.sketch import Shape, Sketch, nested, sketch
from benchmarks.demo.table import MEASURES, ORDERED, Kind

COUNTS = ((">", "more than"), ("<", "fewer than"), (">=", "at least"), ("<=", "at most"))


def join_group_count(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    where, among = optional(s, link.child, 0.7, owner=link.child.name)
    return sketch(
        Select(
            (qualified(parent, title), "COUNT(*)"),
            link.child.name,
            (up(link),),
            where,
            group=qualified(parent),
        ),
        f"For each {parent.one} with {link.inverse}{among}, show its {title.label} and how many it has.",
        f"Count the {link.inverse}{among} of every {parent.one} that has any, and give its {title.label} first.",
        f"List the {title.label} and the number of {link.inverse}{among} of each {parent.one} that has some.",
    )


def join_group_aggregate(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    measure = s.column(link.child, *ORDERED)
    agg = aggregate(s, measure)
    where, among = optional(s, link.child, 0.4, but=measure, owner=link.child.name)
    return sketch(
        Select(
            (qualified(parent, title), agg.of(qualified(link.child, measure))),
            link.child.name,
            (up(link),),
            where,
            group=qualified(parent),
        ),
        f"What is the {agg.word} {measure.label} of the {link.inverse}{among} of each {parent.one}? "
        f"Show the {parent.one}'s {title.label} too, first.",
        f"For every {parent.one} with {link.inverse}{among}, "
        f"give its {title.label} and their {agg.word} {measure.label}.",
        f"List each {parent.one}'s {title.label} with the {agg.word} {measure.label} of its {link.inverse}{among}.",
    )


def join_having(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    sign, words = s.pick(COUNTS)
    n = s.pick(range(2, 12))
    where, among = optional(s, link.child, 0.3, owner=link.child.name)
    some = " but at least one" if sign in ("<", "<=") else ""
    return sketch(
        Select(
            (qualified(parent, title),),
            link.child.name,
            (up(link),),
            where,
            group=qualified(parent),
            having=(Condition(f"COUNT(*) {sign} {n}", "COUNT(*)"),),
        ),
        f"Which {parent.many} have {words} {n} {link.inverse}{among}{some}? Give their {title.label}.",
        f"List the {title.label} of each {parent.one} with {words} {n} {link.inverse}{among}{some}.",
        f"Show the {title.label} of all {parent.many} that have {words} {n} {link.inverse}{among}{some}.",
    )


def busiest(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    k = s.pick((1, 1, 2, 3, 4, 5))
    descending, word = s.pick(((True, "most"), (True, "most"), (False, "fewest")))
    where, among = optional(s, link.child, 0.6, owner=link.child.name)
    some = "" if descending else ", of those that have any"
    subject = parent.one if k == 1 else f"{k} {parent.many}"
    verb, whose = ("has", "its") if k == 1 else ("have", "their")
    order = "" if k == 1 else f", {word} first"
    return sketch(
        Select(
            (qualified(parent, title),),
            link.child.name,
            (up(link),),
            where,
            group=qualified(parent),
            order="COUNT(*)",
            descending=descending,
            limit=k,
        ),
        f"Which {subject} {verb} the {word} {link.inverse}{among}{some}? Give {whose} {title.label}{order}.",
        f"Find the {subject} with the {word} {link.inverse}{among}{some} and show {whose} {title.label}{order}.",
        f"Name the {title.label} of the {subject} with the {word} {link.inverse}{among}{some}{order}.",
    )


def three_tables(s: Sampler) -> Sketch:
    near, far = s.bridge()
    p = predicates.common(s, far.parent)
    title = near.parent.title
    return sketch(
        Select(
            (qualified(near.parent, title),),
            near.parent.name,
            (down(near), Join(far.parent.name, far.on)),
            (p.on(far.parent),),
            distinct=True,
        ),
        f"Which {near.parent.many} have {near.inverse} {p.phrase(far.role)}? List each {title.label} once.",
        f"List the distinct {title.label} of all {near.parent.many} with {near.inverse} {p.phrase(far.role)}.",
        f"Give, without repeats, the {title.label} of each {near.parent.one} that has any of the {near.inverse} "
        f"{p.phrase(far.role)}.",
    )


def three_tables_count(s: Sampler) -> Sketch:
    near, far = s.bridge()
    p, q = predicates.common(s, near.parent), predicates.common(s, far.parent)
    child = near.child
    return sketch(
        Select(("COUNT(*)",), child.name, (up(near), up(far)), (p.on(near.parent), q.on(far.parent))),
        f"How many {child.many} have {a(near.role)} {p.phrase()} and {a(far.role)} {q.phrase()}?",
        f"Count the {child.many} {p.phrase(near.role)} and {q.phrase(far.role)}.",
        f"What is the number of {child.many} {p.phrase(near.role)} and {q.phrase(far.role)}?",
    )


def above_average(s: Sampler) -> Sketch:
    t = s.table()
    measure = s.column(t, *MEASURES)
    sign, word = s.pick(((">", "above"), ("<", "below")))
    columns = s.shown(t, s.pick((1, 2)), but=(measure,))
    where, among = optional(s, t, 0.5, but=measure)
    mean = f"AVG({measure.name})"
    beyond = Condition(
        f"{measure.name} {sign} (SELECT {mean} FROM {t.name})", f"{measure.name} {word} average"
    )
    return sketch(
        Select(names(columns), t.name, where=(*where, beyond)),
        f"List the {labels(columns)} of the {t.many}{among}{' and' if among else ''} whose {measure.label} "
        f"is {word} the average of all {t.many}.",
        f"Which {t.many}{among} have {a(measure.label)} {word} the average of all {t.many}? "
        f"Give their {labels(columns)}.",
        f"Show the {labels(columns)} of each {t.one}{among} with {a(measure.label)} {word} the overall average.",
        first=f"Compute {mean} of all {t.name}.",
    )


def equals_extreme(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    measure = s.column(t, *MEASURES)
    p = predicates.equal(s, t)
    agg = aggregate(s, measure, "MAX", "MIN")
    columns = s.shown(t, s.pick((1, 2)), but=(measure, p.column))

    def holders(inner: Select) -> Select:
        top = Condition(f"{measure.name} = ({inner.sql})", f"{agg.word} {measure.name}")
        return Select(names(columns), t.name, where=(p.on(), top))

    return nested(
        holders,
        Select((agg.of(measure.name),), t.name, where=(p.on(),)),
        f"Among the {t.many} {p.phrase()}, which have the {agg.word} {measure.label}? Give their {labels(columns)}.",
        f"List the {labels(columns)} of every {t.one} {p.phrase()} that has the {agg.word} {measure.label} of those.",
        f"Of all {t.many} {p.phrase()}, show the {labels(columns)} of those with the {agg.word} {measure.label}.",
        first=f"Compute {agg.of(measure.name)} for that {p.column.name}.",
    )


def membership(s: Sampler, operator: str) -> Sketch:
    link = s.link()
    parent, child = link.parent, link.child
    p = predicates.common(s, child)
    columns = s.shown(parent, s.pick((1, 1, 2)))
    some, no = ("have", "no") if operator == "NOT IN" else ("have", "at least one of the")
    known = Condition(f"{link.column.name} IS NOT NULL", f"known {link.column.name}")
    trap = operator == "NOT IN" and link.column.nulls

    def parents(inner: Select) -> Select:
        return Select(
            names(columns),
            parent.name,
            where=(
                Condition(
                    f"{parent.key[0]} {operator} ({inner.sql})", f"{parent.key[0]} {operator.lower()} these"
                ),
            ),
        )

    return nested(
        parents,
        Select((link.column.name,), child.name, where=(p.on(), known) if trap else (p.on(),)),
        f"List the {labels(columns)} of the {parent.many} that {some} {no} {link.inverse} {p.phrase()}.",
        f"Which {parent.many} {some} {no} {link.inverse} {p.phrase()}? Give the {labels(columns)} of each.",
        f"Show the {labels(columns)} of all {parent.many} with {no} {link.inverse} {p.phrase()}.",
        first=f"Find {link.column.name} of {child.name} by {p.column.name}.",
    )


def exists(s: Sampler, operator: str) -> Sketch:
    link = s.link()
    parent, child = link.parent, link.child
    p, q = predicates.common(s, parent), predicates.common(s, child)
    columns = s.shown(parent, 1, but=(p.column,))
    no = "no" if operator == "NOT EXISTS" else "at least one of the"

    def parents(inner: Select) -> Select:
        return Select(
            names(columns),
            parent.name,
            where=(p.on(), Condition(f"{operator} ({inner.sql})", f"{operator.lower()} {child.name}")),
        )

    return nested(
        parents,
        Select(("1",), child.name, where=(Condition(link.on, link.column.name), q.on(child))),
        f"List the {labels(columns)} of the {parent.many} {p.phrase()} that have {no} {link.inverse} {q.phrase()}.",
        f"Which {parent.many} {p.phrase()} have {no} {link.inverse} {q.phrase()}? "
        f"Give the {labels(columns)} of each.",
        f"Of the {parent.many} {p.phrase()}, show the {labels(columns)} of those with {no} "
        f"{link.inverse} {q.phrase()}.",
        first=f"Look for {child.name} of the {parent.name} by {q.column.name}.",
    )


def anti_join(s: Sampler) -> Sketch:
    link = s.link()
    parent, child = link.parent, link.child
    columns = s.shown(parent, s.pick((1, 1, 2)))
    where, which = optional(s, parent, 0.7, owner=parent.name)
    missing = Condition(f"{qualified(child, link.column)} IS NULL", f"no {child.name}")
    return sketch(
        Select(names(columns, parent), parent.name, (down(link, "LEFT JOIN"),), (*where, missing)),
        f"Which {parent.many}{which} have no {link.inverse} at all? Give the {labels(columns)} of each.",
        f"List the {labels(columns)} of the {parent.many}{which} without any {link.inverse}.",
        f"Show the {labels(columns)} of every {parent.one}{which} that does not have any {link.inverse}.",
    )


def left_join_count(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    where, which = optional(s, parent, 0.8, owner=parent.name)
    columns = (qualified(parent, title), f"COUNT({qualified(link.child, link.column)})")
    counted = Select(columns, parent.name, (down(link, "LEFT JOIN"),), where, group=qualified(parent))
    return sketch(
        counted,
        f"How many {link.inverse} does each {parent.one}{which} have? Show {title.label} and count, zeros included.",
        f"For every {parent.one}{which}, even without {link.inverse}, show its {title.label} and how many it has.",
        f"List the {title.label} and the number of {link.inverse}, possibly 0, of each {parent.one}{which}.",
        unlike=(replace(counted, joins=(down(link),)).sql,),
    )


def self_join_compare(s: Sampler) -> Sketch:
    link = s.own_link()
    t = link.child
    column = s.column(t, *ORDERED, full=True)
    sign, word = s.pick(((">", column.scale.above), ("<", column.scale.below)))
    columns = s.shown(t, s.pick((1, 1, 2)), but=(column,))
    where, among = optional(s, t, 0.7, but=column, owner="a")
    return sketch(
        Select(
            tuple(f"a.{c.name}" for c in columns),
            f"{t.name} AS a",
            (Join(f"{t.name} AS b", f"a.{link.column.name} = b.{t.key[0]}"),),
            (
                *where,
                Condition(f"a.{column.name} {sign} b.{column.name}", column.name),
            ),
        ),
        f"List the {labels(columns)} of the {t.many}{among}{' and' if among else ''} whose {column.label} "
        f"is {word} that of their {link.role}.",
        f"Which {t.many}{among} have {a(column.label)} {word} that of their {link.role}? Give their {labels(columns)}.",
        f"Show the {labels(columns)} of every {t.one}{among} with {a(column.label)} {word} the {link.role}'s.",
    )


def self_join_filter(s: Sampler) -> Sketch:
    link = s.own_link()
    t = link.child
    p = predicates.common(s, t)
    columns = s.shown(t, s.pick((1, 1, 2)))
    return sketch(
        Select(
            tuple(f"a.{c.name}" for c in columns),
            f"{t.name} AS a",
            (Join(f"{t.name} AS b", f"a.{link.column.name} = b.{t.key[0]}"),),
            (p.on("b"),),
        ),
        f"List the {labels(columns)} of the {t.many} {p.phrase(link.role)}.",
        f"Which {t.many} have {a(link.role)} {p.phrase()}? Give their {labels(columns)}.",
        f"Show the {labels(columns)} of each {t.one} {p.phrase(link.role)}.",
    )


def case_groups(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *MEASURES, full=True)
    value = s.value(t, column)
    where, among = optional(s, t, 0.6, but=column)
    return sketch(
        Select(
            (f"CASE WHEN {column.name} >= {value} THEN 'high' ELSE 'low' END AS level", "COUNT(*)"),
            t.name,
            where=where,
            group="level",
        ),
        f'Call a {column.label} of at least {value} "high" and any other "low": '
        f"how many {t.many}{among} are there of each?",
        f'Count the {t.many}{among} by level: "high" for {a(column.label)} of at least {value}, else "low".',
        f'Show "high" ({column.label} of {value} or more) and "low" (the rest) '
        f"with the number of {t.many}{among} in each.",
    )


def share(s: Sampler) -> Sketch:
    t = s.table()
    p = predicates.common(s, t)
    where, among = optional(s, t, 0.5, but=p.column)
    condition = p.on()
    return sketch(
        Select(
            (f"100.0 * SUM(CASE WHEN {condition.sql} THEN 1 ELSE 0 END) / COUNT(*)",), t.name, where=where
        ),
        f"Of all {t.many}{among}, what percentage are {t.many} {p.phrase()}?",
        f"What share, in percent, of the {t.many}{among} is made up of {t.many} {p.phrase()}?",
        f"Give the percentage of {t.many} {p.phrase()} among all {t.many}{among}.",
        evidence="percentage = 100.0 * matching rows / all rows",
    )


def date_gap(s: Sampler) -> Sketch:
    t = s.pick([t for t in s.domain.tables if any(c.after for c in t.columns)])
    end = next(c for c in t.columns if c.after)
    start = next(c for c in t.columns if c.name == end.after)
    days = s.pick(range(15, 140))
    sign, words = s.pick((COUNTS[0], COUNTS[1]))
    columns = s.shown(t, s.pick((1, 1, 2)), but=(end,))
    gap = Condition(
        f"julianday({end.name}) - julianday({start.name}) {sign} {days}",
        f"days from {start.name} to {end.name}",
    )
    return sketch(
        Select(names(columns), t.name, where=(gap,)),
        f"List the {labels(columns)} of the {t.many} with {words} {days} days between "
        f"{start.label} and {end.label}.",
        f"Which {t.many} have {words} {days} days from the {start.label} to the {end.label}? "
        f"Give their {labels(columns)}.",
        f"Show the {labels(columns)} of each {t.one} whose {end.label} is {words} {days} days after "
        f"its {start.label}.",
        evidence="The days between two dates are julianday(end) - julianday(start).",
    )


COMPLEX: dict[str, Shape] = {
    "join_group_count": join_group_count,
    "join_group_aggregate": join_group_aggregate,
    "join_having": join_having,
    "busiest": busiest,
    "three_tables": three_tables,
    "three_tables_count": three_tables_count,
    "above_average": above_average,
    "equals_extreme": equals_extreme,
    "in_subquery": partial(membership, operator="IN"),
    "not_in_subquery": partial(membership, operator="NOT IN"),
    "exists": partial(exists, operator="EXISTS"),
    "not_exists": partial(exists, operator="NOT EXISTS"),
    "anti_join": anti_join,
    "left_join_count": left_join_count,
    "self_join_compare": self_join_compare,
    "self_join_filter": self_join_filter,
    "case_groups": case_groups,
    "share": share,
    "date_gap": date_gap,
}
