"""The query shapes by level. Each draws a query, its questions and its reasoning from a database.

`rows` and `groups` have shapes of one table, `joins` and `families` of several tables, `subqueries` and
`stages` of nested queries. A function has the name of its shape. In its body ``s`` is the sampler, ``t`` the
main table, ``p`` and ``q`` are predicates, and ``f`` is an optional filter.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.query import Sketch
from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.shapes import families, groups, joins, rows, stages, subqueries

Shape: TypeAlias = Callable[[Sampler], Sketch]

LEVELS: Mapping[str, Mapping[str, Shape]] = {
    "simple": {
        "project": rows.project,
        "look_up": rows.look_up,
        "filter_equal": partial(rows.filtered, test=predicates.equal),
        "filter_flag": partial(rows.filtered, test=predicates.flagged),
        "filter_compare": partial(rows.filtered, test=predicates.compare),
        "filter_between": partial(rows.filtered, test=predicates.between),
        "filter_in": partial(rows.filtered, test=predicates.member),
        "filter_like": partial(rows.filtered, test=predicates.like),
        "filter_null": partial(rows.filtered, test=predicates.null),
        "filter_date": partial(rows.filtered, test=predicates.dated),
        "distinct": groups.distinct,
        "count_where": groups.count_where,
        "aggregate_where": groups.aggregate_where,
        "order_by": rows.order_by,
        "superlative": rows.superlative,
        "top_k": rows.top_k,
    },
    "moderate": {
        "filter_and": partial(rows.filter_two, glue="AND"),
        "filter_or": partial(rows.filter_two, glue="OR"),
        "count_distinct": groups.count_distinct,
        "group_count": groups.group_count,
        "group_aggregate": groups.group_aggregate,
        "group_having": groups.group_having,
        "group_year": groups.group_year,
        "most_common": groups.most_common,
        "join_filter": joins.join_filter,
        "join_columns": joins.join_columns,
        "join_count": joins.join_count,
        "join_aggregate": joins.join_aggregate,
        "join_superlative": joins.join_superlative,
    },
    "complex": {
        "join_group_count": families.join_group_count,
        "join_group_aggregate": families.join_group_aggregate,
        "join_having": families.join_having,
        "left_join_count": families.left_join_count,
        "busiest": families.busiest,
        "three_tables": joins.three_tables,
        "three_tables_count": joins.three_tables_count,
        "anti_join": joins.anti_join,
        "self_join_compare": joins.self_join_compare,
        "self_join_filter": joins.self_join_filter,
        "above_average": subqueries.above_average,
        "equals_extreme": subqueries.equals_extreme,
        "in_subquery": partial(subqueries.membership, operator="IN"),
        "not_in_subquery": partial(subqueries.membership, operator="NOT IN"),
        "exists": partial(subqueries.exists, operator="EXISTS"),
        "not_exists": partial(subqueries.exists, operator="NOT EXISTS"),
        "case_groups": groups.case_groups,
        "share": groups.share,
        "date_gap": rows.date_gap,
    },
    "highly complex": {
        "union": stages.union,
        "intersect": partial(
            stages.both_children, operator="INTERSECT", words="and also", last_step="Keep those in both"
        ),
        "except": partial(
            stages.both_children, operator="EXCEPT", words="but not", last_step="Remove the second"
        ),
        "counts_above_average": stages.counts_above_average,
        "best_of_group": stages.best_of_group,
        "running_count": stages.running_count,
        "aggregate_of_counts": stages.aggregate_of_counts,
        "above_group_average": subqueries.above_group_average,
        "groups_above_average": subqueries.groups_above_average,
        "children_of_busiest": subqueries.children_of_busiest,
        "more_of_one_kind": families.more_of_one_kind,
        "busiest_by_far_table": families.busiest_by_far_table,
        "variety": families.variety,
    },
}
"""The shapes of each level."""
