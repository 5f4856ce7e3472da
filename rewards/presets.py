"""Published rewards as data: components, their parameters, the response format and the comparison.

An entry point of the group ``sql_env.presets`` names such an object, here or in another package.
"""

SQL_R1 = {
    "rewards": ["format", "execution", "result", "length"],
    "response_format": "think-answer",
}
"""SQL-R1, equations 2 to 5 (arXiv 2504.08600): from -1 to 7.5, a correct answer from 6 up."""

SQL_R1_LEGACY = {
    "rewards": ["format", "execution", "result", {"reward": "length", "params": {"collapse": True}}],
    "response_format": "think-answer",
    "comparison": "sql-r1",
    "warning": (
        "the preset 'sql-r1-legacy' reproduces the arithmetic of SQL-R1's released code: results are "
        "compared without DISTINCT and with columns in any order, ties in ORDER BY count as wrong, "
        "lengths are characters although the paper counts tokens, and the longest responses get "
        "the most. Use it to reproduce figures; train with 'sql-r1'."
    ),
}
"""The arithmetic of the released code. Samples whose gold query fails are masked here too."""

SKYRL_SQL = {
    "rewards": [
        {"reward": "format", "params": {"good": 0.0}},
        {"reward": "result", "params": {"correct": 1.0, "wrong": 0.0}},
    ],
    "response_format": "think-solution",
    "comparison": "bird",
}
"""SkyRL-SQL: -1 for a wrong format, 1 for the right result, else 0; results compare as sets.

In several turns, each turn must be ``<think>`` and then either ``<sql>`` or ``<solution>``. A turn that
is not, or a last turn without ``<solution>``, makes the episode's format wrong.
"""

ARCTIC = {
    "rewards": [
        {"reward": "execution", "params": {"runs": 0.1, "fails": 0.0}},
        {"reward": "result", "params": {"correct": 0.9, "wrong": 0.0}},
    ],
    "response_format": "think-answer",
    "comparison": "bird",
}
"""Arctic-Text2SQL-R1 (arXiv 2505.20315): 1 for the right result, 0.1 for SQL that runs, else 0."""
