"""The environment and the rewards for TRL."""
