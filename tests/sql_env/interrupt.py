"""Exceptions out of nowhere, as a signal's handler raises them, put at one place after another."""

import linecache
import sys


class Stop(BaseException):
    """What strikes."""


def interrupt_at(step, modules, run):
    """Run something, and raise `Stop` where it comes to its ``step``-th line or call in these modules.

    Returns:
        Whether it came so far.
    """

    def stop():
        raise Stop

    try:
        return call_at(step, modules, run, stop)
    except Stop:
        return True


def call_at(step, modules, run, act):
    """Run something, and call ``act`` where it comes to its ``step``-th line or call in these modules.

    Not where a lock is about to be released: the interpreter looks for signals after calls, at jumps back
    and when a function begins, and so never between the end of a ``with`` and its ``__exit__``.

    Returns:
        Whether it came so far.
    """
    files = {module.__file__ for module in modules}
    left = step

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in files or frame.f_code.co_name == "<genexpr>":
            return None  # what strikes a generator that is being dropped is lost
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if left >= 0 and event in ("call", "line") and not line.startswith("with "):
            left -= 1
            if left < 0:
                act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return left < 0
