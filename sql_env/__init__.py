"""A Gymnasium environment library for models that turn questions into SQL.

Importing it registers an environment ``SQLEnv-<name>-v0`` for each installed benchmark.
"""

from sql_env.benchmark import load_benchmark
from sql_env.envs.env import SQLEnv
from sql_env.envs.episode import Episode
from sql_env.envs.registration import register_environments
from sql_env.envs.vector_env import SQLVectorEnv
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.parser import parse, respond
from sql_env.scoring.reward import batched, without_rows
from sql_env.scoring.rubric import Rubric
from sql_env.scoring.rubric import load_rubric as rubric
from sql_env.scoring.scorer import Scorer
from sql_env.scoring.stats import ScorerStats
from sql_env.types import Action, Benchmark, ExecutionResult, Query, Rollout, Score, Status, Task, Turn

__all__ = [
    "Action",
    "Benchmark",
    "Episode",
    "ExecutionResult",
    "Executor",
    "Limits",
    "Query",
    "Rollout",
    "Rubric",
    "SQLEnv",
    "SQLVectorEnv",
    "Score",
    "Scorer",
    "ScorerStats",
    "Status",
    "Task",
    "Turn",
    "batched",
    "load_benchmark",
    "parse",
    "respond",
    "rubric",
    "without_rows",
]
__version__ = "0.1.0"

register_environments()
