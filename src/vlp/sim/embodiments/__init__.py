"""Simulated bodies: a folder each."""
