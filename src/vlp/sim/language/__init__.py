"""Instruction families with success tests on the true state, and the sentences that express them."""
