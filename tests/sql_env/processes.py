"""Child processes of a process."""

import psutil

_earlier = set()


def ignore_running():
    """Leave the children that run now out of `children`: tests in other files may keep their workers warm."""
    _earlier.clear()
    _earlier.update(process.pid for process in psutil.Process().children())


def children(pid=None):
    """Return the children that are alive, without multiprocessing's tracker, which stays for ever."""
    found = []
    for process in psutil.Process(pid).children():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            known = pid is None and process.pid in _earlier
            if alive and not known and "resource_tracker" not in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
