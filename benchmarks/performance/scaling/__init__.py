"""How scoring and health checks behave as they grow: more tasks, more workers."""
