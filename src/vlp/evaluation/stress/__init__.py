"""What a run must survive: hostile policies, kills, noise."""
