"""Simulated bodies; MuJoCo reads at its import how it is to draw, so what the environment says of that is checked first."""

from vlp.sim.opengl import check_import

check_import()
