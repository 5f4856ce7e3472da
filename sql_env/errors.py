"""Every error that this library raises on purpose, each a mistake that its message helps to mend.

What a model writes never raises: it becomes a `sql_env.types.Status` and a low reward.
"""


class SQLEnvError(Exception):
    """The parent of all of them."""


class PluginError(SQLEnvError):
    """A reward, benchmark or other plug-in is unknown, ambiguous, shadowed or broken."""


class RewardError(SQLEnvError):
    """A reward raised, or returned something that is neither a finite number nor None."""


class TaskError(SQLEnvError):
    """A task is malformed, or no task has the id that was asked for."""


class DataError(SQLEnvError):
    """A benchmark's folder, file or split is missing or malformed."""


class DatabaseError(SQLEnvError):
    """A database is missing, unreadable or not a database."""


class GoldError(SQLEnvError):
    """The gold query of the task that was asked for does not run."""


class ComparisonError(SQLEnvError):
    """No comparison semantics has this name."""


class FormatError(SQLEnvError):
    """No response format or prompt template has this name."""


class LimitError(SQLEnvError):
    """A limit is unknown or out of range."""


class MetricError(SQLEnvError):
    """A metric cannot be measured in the way that was asked for."""


class GenerationError(SQLEnvError):
    """A model cannot be asked in this way, or has not answered."""


class EpisodeError(SQLEnvError):
    """An episode was continued after its end."""


class RowsError(SQLEnvError):
    """The rows of a result were read, but have stayed where the query ran."""


class ArgumentError(SQLEnvError):
    """An environment was made, reset or stepped with what it cannot take, such as too few actions."""


class ClosedError(SQLEnvError):
    """An executor, scorer or environment was used after it was closed."""
