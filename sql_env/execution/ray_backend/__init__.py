"""Scoring on a Ray cluster. Nothing else imports Ray, and this is imported when it is asked for.

Ray places actors and tasks, restarts them after a failure, moves what is sent to them, and ends them with
the driver. What is ours is a queue for each call, from which whatever is up is served.
"""
