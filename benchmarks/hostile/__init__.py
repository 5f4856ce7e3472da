"""An attack on this library itself: hostile completions, and machine faults under right answers.

The package is part of the source distribution and not of the wheel.
"""
