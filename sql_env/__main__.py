"""``python -m sql_env``: the ``sql-env`` command."""

import os
import sys

from sql_env.cli import main

if __name__ == "__main__":
    # Python puts the current folder first. A folder of the user that is called benchmarks must not hide ours.
    if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
        sys.path.append(sys.path.pop(0))
    main()
