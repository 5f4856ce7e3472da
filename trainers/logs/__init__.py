"""Figures, curves and rollouts of training runs."""
