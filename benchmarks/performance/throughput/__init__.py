"""Scoring speed, compared with SQLite alone and with naive reward code.

A workload is a set of contenders, which run in turns, and the findings from their times. Some findings
have a bar.
"""
