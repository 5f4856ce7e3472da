"""Gymnasium environments and the episodes that they share with the trainers."""
