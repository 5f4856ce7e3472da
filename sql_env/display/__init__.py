"""Panels and tables for a terminal."""
