"""Lessons of earlier runs: derived from their events, kept in one file, shown to the model as data."""
