"""A table with objects on it and a bin beside it."""
