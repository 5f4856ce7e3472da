"""Measurements of this library itself: scoring speed, scaling, and step limits.

They are part of the source distribution and not of the wheel.
"""
