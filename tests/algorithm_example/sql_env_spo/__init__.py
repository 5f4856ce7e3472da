"""An RL algorithm for sql-env: simple policy optimization, with each group's median as baseline."""
