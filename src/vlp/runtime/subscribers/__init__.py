"""What shows or records a run; all of it built from events."""
