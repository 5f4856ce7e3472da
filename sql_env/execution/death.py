"""The end of a worker process: the suspect, and the result of its query if the query is to blame."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

from sql_env.execution.messages import EXIT_OUT_OF_MEMORY
from sql_env.limits import Limits
from sql_env.types import ExecutionResult, Status

_CRASHES = {getattr(signal, f"SIG{name}") for name in ("SEGV", "BUS", "ABRT", "FPE", "ILL", "TRAP", "SYS")}
"""The signals by which a process ends because of its own instructions. Other processes can send them, too."""

_NAMES = {int(each): each.name for each in signal.Signals}
_TIMER_RANG = "most recent call first"
"""Text that faulthandler writes when the kernel's CPU timer kills a worker. Python itself writes another."""


class Fault(Enum):
    """The suspect for the death of a worker process."""

    QUERY = "query"
    """The kernel's CPU timer ended the query."""
    MEMORY = "memory"
    """Memory ran out: the query, or earlier queries of this process, took it."""
    UNKNOWN = "unknown"
    """The query or the machine: a crash, a kill by the system, or no progress."""
    MACHINE = "machine"
    """No query can cause this, for example a SIGTERM from outside."""


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a worker process.

    Attributes:
        fault: The suspect.
        result: The result of the running query, if the query is to blame.
        reason: The end in words.
        began: True if the process had begun the first query of `WorkerProcess.outstanding`.
        first: True if this was the first query of the process.
        failed_to_start: True if it ended by a Python error before its first query.
    """

    fault: Fault
    result: ExecutionResult
    reason: str
    began: bool
    first: bool
    failed_to_start: bool


@dataclass(frozen=True, slots=True)
class End:
    """The facts about the end of a worker process.

    Attributes:
        code: The exit code; negative for the number of a signal.
        errors: The text that it wrote to its standard error.
        stuck: True if it was killed because its query made no progress.
        stopped: True if a signal had stopped it then.
        comparing: True if it compared the result of its query.
        timer_possible: False if its query cannot have used the CPU time of the CPU limit.
    """

    code: int
    errors: str
    stuck: bool
    stopped: bool
    comparing: bool
    timer_possible: bool


def find_death(end: End, limits: Limits, *, began: bool, first: bool) -> Death:
    """Return the suspect for the end of a worker; `Death` explains the arguments."""
    code, last = end.code, end.errors.rpartition("\n")[2]
    killed = f"killed by {_NAMES.get(-code, f'signal {-code}')}"
    reason = killed if code < 0 else last or f"its exit status is {code or 'lost'}"
    fault, status, message = _find_fault(end, limits)
    result = ExecutionResult(status, error=message or f"it ends its worker process: {reason}")
    failed_to_start = code > 0 and first and not began
    return Death(fault, result, reason, began, first, failed_to_start)


def _find_fault(end: End, limits: Limits) -> tuple[Fault, Status, str]:
    """Return the suspect, and the status and the message of the query if the query is to blame."""
    if end.stuck and end.stopped:
        return Fault.MACHINE, Status.UNAVAILABLE, ""  # no query can send a signal
    if end.stuck:
        return Fault.UNKNOWN, Status.TIMEOUT, f"no progress within {limits.wall_seconds} s"
    # A handler of SIGCHLD may have taken the exit code, so the text is looked for, too.
    if end.code == -signal.SIGPROF or _TIMER_RANG in end.errors:
        if not end.timer_possible:
            return Fault.MACHINE, Status.UNAVAILABLE, ""  # the signal came from outside
        part = "its result could not be compared: " if end.comparing else ""
        return Fault.QUERY, Status.TIMEOUT, f"{part}more than {limits.cpu_seconds} s of CPU"
    if end.code == EXIT_OUT_OF_MEMORY:
        needs = f"it needs more memory than its limits allow: {limits.process_bytes} bytes for the process"
        return Fault.MEMORY, Status.TOO_LARGE, needs
    if end.code == -signal.SIGKILL:
        return Fault.UNKNOWN, Status.TOO_LARGE, "its worker is killed, as the system does without memory"
    if end.code >= 0 or -end.code in _CRASHES:  # 0: the exit code is lost
        return Fault.UNKNOWN, Status.ERROR, ""
    return Fault.MACHINE, Status.UNAVAILABLE, ""
