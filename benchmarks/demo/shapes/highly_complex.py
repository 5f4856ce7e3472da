"""Level ``highly complex``: set operations, common table expressions, windows, correlated queries."""

from __future__ import annotations

from functools import partial

from benchmarks.demo import predicates
from benchmarks.demo.english import extreme, labels
from benchmarks.demo.predicates import Predicate
from benchmarks.demo.query import Condition, Select
from benchmarks.demo.sampler import Sampler, Unfit
from benchmarks.demo.shapes.clause import down, names, optional, qualified, up
from benchmarks.demo.sketch import Shape, Sketch, nested, sketch
from benchmarks.demo.table import MEASURES, Kind, Link


def with_child(link: Link, p: Predicate) -> Select:
    """The titles of the parents that have such a child."""
    parent = link.parent
    return Select((qualified(parent, parent.title),), parent.name, (down(link),), (p.on(link.child),))


def compound(left: Select, operator: str, right: Select, *questions: str, reasoning: str) -> Sketch:
    """Two selects and a set operator: neither side, nor the other operators, may give the same."""
    others = {"UNION", "INTERSECT", "EXCEPT"} - {operator}
    return Sketch(
        sql=f"{left.sql} {operator} {right.sql}",
        questions=questions,
        reasoning=reasoning,
        unlike=(left.sql, right.sql, *(f"{left.sql} {other} {right.sql}" for other in sorted(others))),
    )


def union(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    p, q = predicates.common(s, parent), predicates.common(s, link.child)
    who = f"{p.phrase()} or that have any {link.inverse} {q.phrase()}"
    return compound(
        Select((title.name,), parent.name, where=(p.on(),)),
        "UNION",
        with_child(link, q),
        f"List, once each, the {title.label} of the {parent.many} {who}.",
        f"Which {parent.many} are ones {who}? Give each {title.label} once.",
        f"Show the distinct {title.label} of all {parent.many} {who}.",
        reasoning=f"First {parent.name} by {p.column.name}. Then {parent.name} with {link.child.name} by "
        f"{q.column.name}. Unite both; return {title.name}.",
    )


def both_children(s: Sampler, operator: str, words: str, how: str) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    p, q = predicates.common(s, link.child), predicates.common(s, link.child)
    if p.says == q.says:
        raise Unfit("twice the same predicate")
    who = f"any {link.inverse} {p.phrase()} {words} any {q.phrase()}"
    return compound(
        with_child(link, p),
        operator,
        with_child(link, q),
        f"Which {parent.many} have {who}? Give each {title.label} once.",
        f"List, once each, the {title.label} of the {parent.many} that have {who}.",
        f"Show the distinct {title.label} of all {parent.many} with {who}.",
        reasoning=f"First {parent.name} with {link.child.name} by {p.column.name}. Then {parent.name} with "
        f"{link.child.name} by {q.column.name}. {how}; return {title.name}.",
    )


def counts_above_average(s: Sampler) -> Sketch:
    link = s.link()
    parent, title = link.parent, link.parent.title
    where, among = optional(s, link.child, 0.75, owner=link.child.name)

    def text(conditions: tuple[Condition, ...], keep: str = " WHERE n > (SELECT AVG(n) FROM counts)") -> str:
        columns = (f"{qualified(parent, title)} AS {title.name}", "COUNT(*) AS n")
        counts = Select(columns, link.child.name, (up(link),), conditions, group=qualified(parent))
        return f"WITH counts AS ({counts.sql}) SELECT {title.name}, n FROM counts{keep}"

    return Sketch(
        text(where),
        (
            f"Counting the {link.inverse}{among} of each {parent.one} that has any, which have more than the average "
            f"count? Give {title.label} and count.",
            f"List {title.label} and number of {link.inverse}{among} of the {parent.many} whose number of these is "
            f"above the average over all {parent.many} that have some.",
            f"Show {title.label} and count for every {parent.one} with more {link.inverse}{among} than the average "
            f"{parent.one} that has any.",
        ),
        f"Count {link.child.name}{' by ' + where[0].about if where else ''} per {parent.name} as counts. "
        f"Average the counts. Return {title.name} and n above it.",
        unlike=(text(where, ""), *([text(())] if where else [])),
    )


def best_of_group(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    group = s.column(t, Kind.CATEGORY, full=True)
    measure = s.column(t, *MEASURES, full=True)
    descending, word = extreme(s, measure)
    (shown,) = s.shown(t, 1, but=(group, measure))
    where, among = optional(s, t, 0.7, but=measure)

    def text(conditions: tuple[Condition, ...], descending: bool, function: str = "RANK") -> str:
        window = f"{function}() OVER (PARTITION BY {group.name} ORDER BY {measure.name} {'DESC' if descending else 'ASC'})"
        inner = Select((group.name, shown.name, f"{window} AS place"), t.name, where=conditions)
        return f"SELECT {group.name}, {shown.name} FROM ({inner.sql}) WHERE place = 1"

    return Sketch(
        text(where, descending),
        (
            f"For each {group.label}, which of its {t.many}{among} has the {word} {measure.label}? "
            f"Give {group.label} and {shown.label}.",
            f"List every {group.label} with the {shown.label} of its {t.one}{among} that has the {word} {measure.label}.",
            f"Within each {group.label}, find the {t.one}{among} with the {word} {measure.label}; "
            f"show {group.label} and {shown.label}.",
        ),
        f"Rank {t.name}{' by ' + where[0].about if where else ''} within {group.name} on {measure.name} "
        f"{'descending' if descending else 'ascending'}. Keep place 1. Return {group.name} and {shown.name}.",
        unlike=(text(where, not descending), *([text((), descending)] if where else [])),
        alike=(text(where, descending, "ROW_NUMBER"),),
    )


def running_count(s: Sampler) -> Sketch:
    t = s.table(Kind.DATE)
    column = s.column(t, Kind.DATE, full=True)
    where, among = optional(s, t, 0.85, but=column)

    def text(conditions: tuple[Condition, ...], total: str = "SUM(n) OVER (ORDER BY year)") -> str:
        year = f"strftime('%Y', {column.name})"
        inner = Select((f"{year} AS year", "COUNT(*) AS n"), t.name, where=conditions, group="year")
        return f"SELECT year, {total} FROM ({inner.sql})"

    return Sketch(
        text(where),
        (
            f"Show the running total of {t.many}{among} by year of the {column.label}, as year and total.",
            f"For each year of the {column.label}, how many {t.many}{among} are there up to and including that year?",
            f"Give every year of the {column.label} with the cumulative number of {t.many}{among}.",
        ),
        f"Count {t.name}{' by ' + where[0].about if where else ''} per year of {column.name}. "
        f"Sum the counts over the years in order. Return year and total.",
        unlike=(text(where, "n"), *([text(())] if where else [])),
    )


def above_group_average(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    group = s.column(t, Kind.CATEGORY, full=True)
    measure = s.column(t, *MEASURES)
    sign, word = s.pick(((">", "above"), ("<", "below")))
    columns = s.shown(t, s.pick((1, 2)), but=(group, measure))
    where, among = optional(s, t, 0.5, but=group)

    def beyond(inner: Select) -> Select:
        test = Condition(f"{measure.name} {sign} ({inner.sql})", f"{measure.name} {word} its group's average")
        return Select(names(columns), t.name, where=(*where, test))

    same = Condition(f"peer.{group.name} = {t.name}.{group.name}", group.name)
    return nested(
        beyond,
        Select((f"AVG(peer.{measure.name})",), f"{t.name} AS peer", where=(same,)),
        f"List the {labels(columns)} of the {t.many}{among}{' and' if among else ''} whose {measure.label} "
        f"is {word} the average of all {t.many} with the same {group.label}.",
        f"Which {t.many}{among} are {word} the average {measure.label} of all {t.many} of their {group.label}? "
        f"Give their {labels(columns)}.",
        f"Show the {labels(columns)} of each {t.one}{among} that is {word} the average {measure.label} "
        f"of its own {group.label}.",
        first=f"Compute AVG({measure.name}) per {group.name} of {t.name}.",
    )


def groups_above_average(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    group = s.column(t, Kind.CATEGORY, full=True)
    measure = s.column(t, *MEASURES)
    sign, word = s.pick(((">", "above"), ("<", "below")))
    where, among = optional(s, t, 0.6, but=group)
    mean = f"AVG({measure.name})"

    def groups(inner: Select) -> Select:
        having = Condition(f"{mean} {sign} ({inner.sql})", f"{mean} {word} overall")
        return Select((group.name, mean), t.name, where=where, group=group.name, having=(having,))

    return nested(
        groups,
        Select((mean,), t.name, where=where),
        f"For which {group.plural} is the average {measure.label} of the {t.many}{among} {word} the average over all "
        f"of them? Give {group.label} and average.",
        f"List each {group.label}, with its average {measure.label}, where the {t.many}{among} average {word} "
        f"the mean of all {t.many}{among}.",
        f"Show {group.label} and average {measure.label} of the {t.many}{among}, only where that is {word} "
        f"the average over every {group.label} together.",
        first=f"Compute overall {mean}.",
    )


def more_of_one_kind(s: Sampler) -> Sketch:
    link = s.link(Kind.CATEGORY)
    parent, title, child = link.parent, link.parent.title, link.child
    column = s.column(child, Kind.CATEGORY)
    left, right = s.some(sorted(set(map(str, s.values(child, column)))), 2)

    def tally(value: str) -> str:
        return f"SUM(CASE WHEN {qualified(child, column)} = {predicates.literal(value)} THEN 1 ELSE 0 END)"

    more = Condition(f"{tally(left)} > {tally(right)}", f"one {column.name} count above the other")
    return sketch(
        Select((qualified(parent, title),), child.name, (up(link),), group=qualified(parent), having=(more,)),
        f"Which {parent.many} have more {link.inverse} whose {column.label} is {left} than {link.inverse} "
        f"whose {column.label} is {right}? Give their {title.label}.",
        f"List the {title.label} of the {parent.many} for which the {column.label} of more {link.inverse} "
        f"is {left} than is {right}.",
        f"Show the {title.label} of each {parent.one} that has more {link.inverse} with the {column.label} {left} "
        f"than with the {column.label} {right}.",
    )


def children_of_busiest(s: Sampler) -> Sketch:
    link = s.link()
    child, fk = link.child, link.column
    columns = s.shown(child, s.pick((1, 2)))
    where, among = optional(s, child, 0.75)
    known = (Condition(f"{fk.name} IS NOT NULL", f"known {fk.name}"),) if fk.nulls else ()
    top = Select(
        (fk.name,), child.name, where=known, group=fk.name, order="COUNT(*)", descending=True, limit=1
    )

    def theirs(inner: Select) -> Select:
        return Select(
            names(columns), child.name, where=(*where, Condition(f"{fk.name} = ({inner.sql})", fk.name))
        )

    outer = theirs(top)
    return sketch(
        outer,
        f"List the {labels(columns)} of the {child.many}{among} that belong to the {link.parent.one} "
        f"with the most {link.inverse}.",
        f"Take the {link.parent.one} that has the most {link.inverse} overall: what is the {labels(columns)} "
        f"of each of its {link.inverse}{among}?",
        f"Find the {link.parent.one} with the highest number of {link.inverse} and show the {labels(columns)} "
        f"of its {link.inverse}{among}.",
        first=f"Find the {fk.name} with most {child.name}.",
        limited=(top,),
    )


def busiest_by_far_table(s: Sampler) -> Sketch:
    near, far = s.bridge()
    parent, title = near.parent, near.parent.title
    p = predicates.common(s, far.parent)
    k = s.pick((1, 2, 3, 4, 5))
    subject = parent.one if k == 1 else f"{k} {parent.many}"
    verb, whose, order = ("has", "its", "") if k == 1 else ("have", "their", ", most first")
    return sketch(
        Select(
            (qualified(parent, title), "COUNT(*)"),
            near.child.name,
            (up(near), up(far)),
            (p.on(far.parent),),
            group=qualified(parent),
            order="COUNT(*)",
            descending=True,
            limit=k,
        ),
        f"Which {subject} {verb} the most {near.inverse} {p.phrase(far.role)}? "
        f"Give {title.label} and number{order}.",
        f"Find the {subject} with the most {near.inverse} {p.phrase(far.role)} and show {whose} {title.label} "
        f"and the number of these{order}.",
        f"Give {title.label} and number of {near.inverse} {p.phrase(far.role)} for the {subject} "
        f"with the highest number{order}.",
    )


def variety(s: Sampler) -> Sketch:
    near, far = s.bridge()
    parent, title = near.parent, near.parent.title
    column = s.column(far.parent, Kind.CATEGORY, full=True)
    n = s.pick((1, 2, 3, 4))
    where, which = optional(s, parent, 0.6, owner=parent.name)
    count = f"COUNT(DISTINCT {qualified(far.parent, column)})"
    return sketch(
        Select(
            (qualified(parent, title), count),
            near.child.name,
            (up(near), up(far)),
            where,
            group=qualified(parent),
            having=(Condition(f"{count} > {n}", count),),
        ),
        f"Which {parent.many}{which} have {near.inverse} with more than {n} different {column.plural} "
        f"of the {far.role}? Give {title.label} and the number of {column.plural}.",
        f"List {title.label} and number of different {far.role} {column.plural} over the {near.inverse} of each "
        f"{parent.one}{which}, where that number is above {n}.",
        f"For the {parent.many}{which} whose {near.inverse} cover more than {n} different {far.role} {column.plural}, "
        f"show {title.label} and how many.",
    )


def aggregate_of_counts(s: Sampler) -> Sketch:
    link = s.link()
    child, fk = link.child, link.column
    agg = s.pick((("AVG", "average"), ("MAX", "highest"), ("MIN", "lowest")))
    where, among = optional(s, child, 0.85)
    known = (Condition(f"{fk.name} IS NOT NULL", f"known {fk.name}"),) if fk.nulls else ()

    def text(conditions: tuple[Condition, ...], function: str = agg[0]) -> str:
        inner = Select(("COUNT(*) AS n",), child.name, where=(*conditions, *known), group=fk.name)
        return f"SELECT {function}(n) FROM ({inner.sql})"

    return Sketch(
        text(where),
        (
            f"What is the {agg[1]} number of {link.inverse}{among} per {link.parent.one}, "
            f"leaving out {link.parent.many} without any?",
            f"Counting the {link.inverse}{among} of every {link.parent.one} that has some, "
            f"what is the {agg[1]} count?",
            f"Over all {link.parent.many} with {link.inverse}{among}, find the {agg[1]} number of these.",
        ),
        f"Count {child.name}{' by ' + where[0].about if where else ''} per {fk.name}. Return {agg[0]} of the counts.",
        unlike=(*([text(())] if where else []), text(where, "SUM")),
    )


HIGHLY_COMPLEX: dict[str, Shape] = {
    "union": union,
    "intersect": partial(both_children, operator="INTERSECT", words="and also", how="Keep those in both"),
    "except": partial(both_children, operator="EXCEPT", words="but not", how="Remove the second"),
    "counts_above_average": counts_above_average,
    "best_of_group": best_of_group,
    "running_count": running_count,
    "above_group_average": above_group_average,
    "groups_above_average": groups_above_average,
    "more_of_one_kind": more_of_one_kind,
    "children_of_busiest": children_of_busiest,
    "busiest_by_far_table": busiest_by_far_table,
    "variety": variety,
    "aggregate_of_counts": aggregate_of_counts,
}
