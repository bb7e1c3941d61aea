"""A task in a world: set up, run, disturbed, judged, recorded, collected as samples."""
