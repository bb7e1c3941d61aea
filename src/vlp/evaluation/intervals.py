"""How sure a rate is."""

from math import sqrt

Z_95 = 1.959964


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval (Wilson) of a rate; (0, 1) when there are no cases."""
    if n == 0:
        return 0.0, 1.0
    rate, z2 = successes / n, Z_95**2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)
