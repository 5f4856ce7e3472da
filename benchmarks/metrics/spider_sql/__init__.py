"""Parse the part of SQL that Spider's official evaluator knows, as it does.

Exact set match and the hardness classes are defined on this parse, so its quirks are rules: what joins, how
words are split, which text after a query is ignored. It follows the behaviour of
taoyds/test-suite-sql-eval e97acc5.
"""

from benchmarks.metrics.spider_sql.names import Catalog, Names
from benchmarks.metrics.spider_sql.parser import parse
from benchmarks.metrics.spider_sql.syntax import Column, Condition, Conditions, Item, Query, Term

__all__ = ["Catalog", "Column", "Condition", "Conditions", "Item", "Names", "Query", "Term", "parse"]
