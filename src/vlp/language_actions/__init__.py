"""Motion written as language: chunks of relative moves to text and back, grammars, and samples from trajectories."""
