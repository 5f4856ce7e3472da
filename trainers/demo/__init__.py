"""A tiny model that is trained from random weights: ``python -m trainers.demo``."""
