"""The Toyota HSR-B in simulation: body, motion, actions."""
