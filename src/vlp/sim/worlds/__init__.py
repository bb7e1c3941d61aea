"""Simulated worlds: a folder each."""
