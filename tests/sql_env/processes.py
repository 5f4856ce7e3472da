"""Child processes of a process."""

import psutil


def children(pid=None):
    """Return the children that are alive, without multiprocessing's tracker, which stays for ever."""
    found = []
    for process in psutil.Process(pid).children():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and "resource_tracker" not in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
