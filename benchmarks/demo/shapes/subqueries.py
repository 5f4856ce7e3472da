"""Shapes with queries inside conditions: averages, extremes, membership, existence."""

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.predicates import with_article
from benchmarks.demo.queries.query import Condition, Select, Sketch, make_nested_sketch, make_sketch
from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.shapes.clause import (
    draw_aggregate,
    draw_columns,
    draw_filter,
    draw_group,
    qualify_columns,
    require_known,
)
from benchmarks.demo.tables.table import MEASURES, Kind

SIDES = ((">", "above"), ("<", "below"))


def above_average(s: Sampler) -> Sketch:
    t = s.table()
    column = s.measure(t)
    sign, word = s.pick(SIDES)
    columns, show = draw_columns(s, t, s.pick((1, 2)), but=(column,))
    mean = f"AVG({column.name})"
    f = draw_filter(s, t, 0.5, but=(column, *columns))
    beyond = Condition(f"{column.name} {sign} (SELECT {mean} FROM {t.name})", f"{column.name} {word} average")
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=(*f.where, beyond)),
        f"List the {show} of the {t.many}{f.among}{f.also} whose {column.label} is {word} the average "
        f"of all {t.many}.",
        f"Which {t.many}{f.among} have {with_article(column.label)} {word} the average of all {t.many}? "
        f"Give their {show}.",
        f"Show the {show} of each {t.one}{f.among}{f.also} with {with_article(column.label)} {word} "
        "the overall average.",
        first=f"Compute {mean} of all {t.name}.",
    )


def equals_extreme(s: Sampler) -> Sketch:
    t = s.table(Kind.CATEGORY)
    column = s.column(t, *MEASURES)
    p = predicates.equal(s, t)
    agg = draw_aggregate(s, column, "MAX", "MIN")
    columns, show = draw_columns(s, t, s.pick((1, 2)), but=(column, p.column))
    top = f"the {agg.word} {column.label}"

    def holders(inner: Select) -> Select:
        equal = Condition(f"{column.name} = ({inner.sql})", f"{agg.word} {column.name}")
        return Select(qualify_columns(columns), t.name, where=(p.on(), equal))

    return make_nested_sketch(
        holders,
        Select((agg.of(column.name),), t.name, where=(p.on(),)),
        f"Among the {t.many} {p.phrase()}, which have {top}, ties included? Give their {show}.",
        f"List the {show} of every {t.one} {p.phrase()} that has {top} of those, ties included.",
        f"Of all {t.many} {p.phrase()}, show the {show} of those that share {top}.",
        first=f"Compute {agg.of(column.name)} for that {p.column.name}.",
    )


def membership(s: Sampler, operator: str) -> Sketch:
    link = s.link()
    t, child, fk = link.parent, link.child, link.column
    p = predicates.draw_common(s, child)
    columns, show = draw_columns(s, t, s.pick((1, 1, 2)))
    no = "no" if operator == "NOT IN" else "at least one of the"
    theirs = f"{no} {link.inverse} {p.phrase()}"
    # NOT IN a list with a NULL is never true.
    safe = require_known(fk) if operator == "NOT IN" else ()

    def parents(inner: Select) -> Select:
        listed = Condition(f"{t.key[0]} {operator} ({inner.sql})", f"{t.key[0]} {operator.lower()} these")
        return Select(qualify_columns(columns), t.name, where=(listed,))

    return make_nested_sketch(
        parents,
        Select((fk.name,), child.name, where=(p.on(), *safe)),
        f"List the {show} of the {t.many} that have {theirs}.",
        f"Which {t.many} have {theirs}? Give the {show} of each.",
        f"Show the {show} of all {t.many} with {theirs}.",
        first=f"Find {fk.name} of {child.name} by {p.column.name}.",
    )


def exists(s: Sampler, operator: str) -> Sketch:
    link = s.link()
    t, child = link.parent, link.child
    p, q = predicates.draw_common(s, t), predicates.draw_common(s, child)
    columns, show = draw_columns(s, t, 1, but=(p.column,))
    which = f"{t.many} {p.phrase()}"
    no = "no" if operator == "NOT EXISTS" else "at least one of the"
    theirs = f"{no} {link.inverse} {q.phrase()}"

    def parents(inner: Select) -> Select:
        found = Condition(f"{operator} ({inner.sql})", f"{operator.lower()} {child.name}")
        return Select(qualify_columns(columns), t.name, where=(p.on(), found))

    return make_nested_sketch(
        parents,
        Select(("1",), child.name, where=(Condition(link.on, link.column.name), q.on(child.name))),
        f"List the {show} of the {which} and that have {theirs}.",
        f"Which {which} have {theirs}? Give the {show} of each.",
        f"Of the {which}, show the {show} of those with {theirs}.",
        first=f"Look for {child.name} of the {t.name} by {q.column.name}.",
    )


def above_group_average(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    column = s.measure(t)
    sign, word = s.pick(SIDES)
    columns, show = draw_columns(s, t, s.pick((1, 2)), but=(group, column))
    f = draw_filter(s, t, 0.5, but=(group, *columns))

    def beyond(inner: Select) -> Select:
        test = Condition(f"{column.name} {sign} ({inner.sql})", f"{column.name} {word} its average")
        return Select(qualify_columns(columns), t.name, where=(*f.where, test))

    same = Condition(f"peer.{group.name} = {t.name}.{group.name}", group.name)
    return make_nested_sketch(
        beyond,
        Select((f"AVG(peer.{column.name})",), f"{t.name} AS peer", where=(same,)),
        f"List the {show} of the {t.many}{f.among}{f.also} whose {column.label} is {word} the average "
        f"of all {t.many} with the same {group.label}.",
        f"Which {t.many}{f.among} are {word} the average {column.label} of all {t.many} of their "
        f"{group.label}? Give their {show}.",
        f"Show the {show} of each {t.one}{f.among}{f.also} whose {column.label} is {word} the average "
        f"within the same {group.label}.",
        first=f"Compute AVG({column.name}) per {group.name}.",
    )


def groups_above_average(s: Sampler) -> Sketch:
    t, group = draw_group(s)
    column = s.measure(t)
    sign, word = s.pick(SIDES)
    f = draw_filter(s, t, 0.6, but=(group, column))
    mean, which = f"AVG({column.name})", f"{t.many}{f.among}"

    def groups(inner: Select) -> Select:
        having = Condition(f"{mean} {sign} ({inner.sql})", f"{mean} {word} overall")
        return Select((group.name, mean), t.name, where=f.where, group=group.name, having=(having,))

    return make_nested_sketch(
        groups,
        Select((mean,), t.name, where=f.where),
        f"For which {group.plural} is the average {column.label} of the {which} {word} the average over all "
        f"of them? Give {group.label} and average.",
        f"List each {group.label} with the average {column.label} of its {which}, where that is {word} "
        "the average of all of these.",
        f"Show {group.label} and average {column.label} of the {which}, only where that is {word} "
        f"the average over every {group.label} together.",
        first=f"Compute overall {mean}.",
    )


def children_of_busiest(s: Sampler) -> Sketch:
    link = s.link()
    t, fk, parent = link.child, link.column, link.parent.one
    columns, show = draw_columns(s, t, s.pick((1, 2)))
    f = draw_filter(s, t, 0.75, but=columns)
    top = Select(
        (fk.name,), t.name, where=require_known(fk), group=fk.name, order="COUNT(*)", descending=True, limit=1
    )
    theirs = Condition(f"{fk.name} = ({top.sql})", f"that {fk.name}")
    return make_sketch(
        Select(qualify_columns(columns), t.name, where=(*f.where, theirs)),
        f"Take the {parent} with the most {link.inverse} overall: what is the {show} "
        f"of each of those {link.inverse}{f.among}?",
        f"Find the {parent} with the highest number of {link.inverse} and list the {show} "
        f"of those {link.inverse}{f.among}.",
        f"For the {parent} that has the most {link.inverse}, show the {show} of the {link.inverse}{f.among}.",
        first=f"Find the {fk.name} with most {t.name}.",
        limited=(top,),
    )
