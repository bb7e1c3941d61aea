"""ANYmal B with a Kinova j2s6s200 arm in simulation: body, gait, motion, actions."""
