"""A toy robot without physics, over a table of symbols: for examples, and for tests of what talks to a robot."""
