"""What people ask of a household robot: commands of one to three linked parts, by kind."""
