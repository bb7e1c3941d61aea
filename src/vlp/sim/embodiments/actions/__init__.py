"""Actions that bodies with a hand share: they work with a `Scope`, to which each body adds its own moves."""
