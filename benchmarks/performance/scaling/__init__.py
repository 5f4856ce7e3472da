"""Scoring and health checks with more tasks and more workers."""
