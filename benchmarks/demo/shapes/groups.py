"""Shapes of aggregates over one table, as a whole or by group."""

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.predicates import with_article
from benchmarks.demo.queries.query import Condition, Select, Sketch, make_sketch
from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.shapes.clause import COUNTS, draw_aggregate, draw_filter, draw_group
from benchmarks.demo.tables.table import ORDERED, Column, Kind


def distinct(s: Sampler) -> Sketch:
    t, column = draw_group(s)
    f = draw_filter(s, t, 0.75, but=(column,))
    return make_sketch(
        Select((column.name,), t.name, where=f.where, distinct=True),
        f"List the different {column.plural} of the {t.many}{f.among}.",
        f"Which distinct {column.plural} occur among the {t.many}{f.among}?",
        f"Show every {column.label} found among the {t.many}{f.among}, without repeats.",
    )


def count_where(s: Sampler) -> Sketch:
    t = s.table()
    p = s.pick((predicates.draw_common, predicates.draw_common, predicates.null, predicates.like))(s, t)
    return make_sketch(
        Select(("COUNT(*)",), t.name, where=(p.on(),)),
        f"How many {t.many} are there {p.phrase()}?",
        f"Count the {t.many} {p.phrase()}.",
        f"What is the number of {t.many} {p.phrase()}?",
    )


def aggregate_where(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, *ORDERED)
    agg = draw_aggregate(s, column)
    f = draw_filter(s, t, 0.8, but=(column,))
    return make_sketch(
        Select((agg.of(column.name),), t.name, where=f.where),
        f"What is the {agg.word} {column.label} of the {t.many}{f.among}?",
        f"Find the {agg.word} {column.label} among all {t.many}{f.among}.",
        f"Give the {agg.word} {column.label} over the {t.many}{f.among}.",
    )


def count_distinct(s: Sampler) -> Sketch:
    t = s.table()
    column = s.column(t, Kind.CATEGORY, Kind.REF)
    f = draw_filter(s, t, 0.75, but=(column,))
    return make_sketch(
        Select((f"COUNT(DISTINCT {column.name})",), t.name, where=f.where),
        f"How many different {column.plural} do the {t.many}{f.among} have?",
        f"Count the distinct {column.plural} of the {t.many}{f.among}.",
        f"What is the number of different {column.plural} among the {t.many}{f.among}?",
        must_differ=(Select((f"COUNT({column.name})",), t.name, where=f.where).sql,),
    )


def group_count(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    f = draw_filter(s, t, 0.75, but=(group,))
    return make_sketch(
        Select((group.name, "COUNT(*)"), t.name, where=f.where, group=group.name),
        f"How many {t.many}{f.among} are there for each {group.label}? Show {group.label} and count.",
        f"For each {group.label}, count the {t.many}{f.among}.",
        f"List every {group.label} with its number of {t.many}{f.among}.",
    )


def group_aggregate(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    column = s.column(t, *ORDERED)
    agg = draw_aggregate(s, column)
    f = draw_filter(s, t, 0.4, but=(group, column))
    return make_sketch(
        Select((group.name, agg.of(column.name)), t.name, where=f.where, group=group.name),
        f"What is the {agg.word} {column.label} of the {t.many}{f.among} for each {group.label}? "
        f"Show {group.label} and {column.label}.",
        f"For every {group.label}, give the {agg.word} {column.label} of the {t.many}{f.among}.",
        f"Show each {group.label} with the {agg.word} {column.label} of its {t.many}{f.among}.",
    )


def group_having(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    sign, words = s.pick(COUNTS)
    n = s.pick(range(2, max(3, 2 * t.size // len(group.values))))
    f = draw_filter(s, t, 0.3, but=(group,))
    having = Condition(f"COUNT(*) {sign} {n}", "COUNT(*)")
    some = " but at least one" if sign in ("<", "<=") and f.among else ""
    return make_sketch(
        Select((group.name,), t.name, where=f.where, group=group.name, having=(having,)),
        f"Which {group.plural} have {words} {n} {t.many}{f.among}{some}?",
        f"List each {group.label} that has {words} {n} {t.many}{f.among}{some}.",
        f"Show the {group.plural} with {words} {n} {t.many}{f.among}{some}.",
    )


def group_year(s: Sampler) -> Sketch:
    t = s.table(Kind.DATE)
    column = s.column(t, Kind.DATE, full=True)
    year = f"strftime('%Y', {column.name})"
    f = draw_filter(s, t, 0.8, but=(column,))
    return make_sketch(
        Select((year, "COUNT(*)"), t.name, where=f.where, group=year),
        f"How many {t.many}{f.among} are there per {name_year(column)}? Show year and count.",
        f"Count the {t.many}{f.among} by {name_year(column)}.",
        f"For every {name_year(column)}, give the number of {t.many}{f.among}.",
        reasoning=f"Use {t.name}. {f'Keep rows{f.by}; group' if f.by else 'Group'} by year of {column.name}. "
        "Return year and COUNT(*).",
    )


def name_year(column: Column) -> str:
    """Return the English for the year of a date."""
    return "year" if column.label == "date" else f"year of the {column.label}"


def most_common(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    descending, word = s.pick(((True, "most"), (False, "fewest")))
    f = draw_filter(s, t, 0.75, but=(group,))
    some = ", of those that have any" if f.among and not descending else ""
    return make_sketch(
        Select(
            (group.name,),
            t.name,
            where=f.where,
            group=group.name,
            order="COUNT(*)",
            descending=descending,
            limit=1,
        ),
        f"Which {group.label} has the {word} {t.many}{f.among}{some}?",
        f"Find the {group.label} with the {word} {t.many}{f.among}{some}.",
        f"Name the {group.label} that has the {word} {t.many}{f.among}{some}.",
    )


def case_groups(s: Sampler) -> Sketch:
    t = s.table()
    column = s.measure(t, full=True)
    value = s.value(t, column)
    f = draw_filter(s, t, 0.6, but=(column,))
    level = f"CASE WHEN {column.name} >= {value} THEN 'high' ELSE 'low' END AS level"
    return make_sketch(
        Select((level, "COUNT(*)"), t.name, where=f.where, group="level"),
        f'Call {with_article(column.label)} of at least {value} "high" and any other "low": '
        f"how many {t.many}{f.among} are there of each?",
        f'Count the {t.many}{f.among} by level: "high" for {with_article(column.label)} of at least {value}, '
        'else "low".',
        f'Show "high" ({column.label} of {value} or more) and "low" (the rest) '
        f"with the number of {t.many}{f.among} in each.",
        reasoning=f"Use {t.name}. {f'Keep rows{f.by}; group' if f.by else 'Group'} by CASE on {column.name} "
        "as level. Return level and COUNT(*).",
    )


def share(s: Sampler) -> Sketch:
    t = s.table()
    p = predicates.draw_common(s, t)
    f = draw_filter(s, t, 0.5, but=(p.column,))
    part = f"100.0 * SUM(CASE WHEN {p.on().sql} THEN 1 ELSE 0 END) / COUNT(*)"
    return make_sketch(
        Select((part,), t.name, where=f.where),
        f"Of all {t.many}{f.among}, what percentage are {t.many} {p.phrase()}?",
        f"What share, in percent, of the {t.many}{f.among} is made up of {t.many} {p.phrase()}?",
        f"Give the percentage of {t.many} {p.phrase()} among all {t.many}{f.among}.",
        reasoning=f"Use {t.name}. {f'Keep rows{f.by}. ' if f.by else ''}Sum CASE on {p.column.name} "
        "over COUNT(*) as percentage.",
        evidence="percentage = 100.0 * matching rows / all rows",
    )
