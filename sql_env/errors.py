"""The errors that this library raises on purpose.

Each error is a mistake in the code, the configuration or the data, and its message explains how to fix it.
The text of a model never raises an error: it gets a `sql_env.types.Status` and a low reward.
"""


class SQLEnvError(Exception):
    """The base class of all errors of this library."""


class PluginError(SQLEnvError):
    """A reward, benchmark or other plug-in is unknown, ambiguous, shadowed or broken."""


class RewardError(SQLEnvError):
    """A reward raised an error, or its value is neither a finite number nor None."""


class TaskError(SQLEnvError):
    """A task is malformed, or no task has the given id."""


class DataError(SQLEnvError):
    """The folder, a file or the split of a benchmark is missing or malformed."""


class DatabaseError(SQLEnvError):
    """A database is missing, unreadable or not a database."""


class GoldError(SQLEnvError):
    """The gold query of a task fails, so the task cannot be used."""


class ComparisonError(SQLEnvError):
    """No comparison has the given name."""


class FormatError(SQLEnvError):
    """No response format or prompt template has the given name."""


class LimitError(SQLEnvError):
    """A limit is unknown or out of range."""


class MetricError(SQLEnvError):
    """A metric cannot be computed with the given arguments."""


class GenerationError(SQLEnvError):
    """A model cannot generate with the given arguments, or did not answer."""


class EpisodeError(SQLEnvError):
    """An episode was continued after its end."""


class RowsError(SQLEnvError):
    """The rows of a result were read, but they were not sent from the worker process."""


class ArgumentError(SQLEnvError):
    """An environment or a command got an invalid argument, such as too few actions or an unknown option."""


class ClosedError(SQLEnvError):
    """An executor, scorer or environment was used after it was closed."""
