"""Files of a run folder: settings, items, findings."""
