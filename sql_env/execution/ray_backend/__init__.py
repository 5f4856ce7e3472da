"""Scoring on a Ray cluster. Only `sql_env.execution.backends` imports this package, and only on request.

Ray places tasks, runs lost tasks again, moves their arguments and results, and ends them with the driver.
"""
