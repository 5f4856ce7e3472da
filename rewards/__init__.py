"""Rewards, one function in each file, and presets. Entry points of ``sql_env.rewards`` name them."""
