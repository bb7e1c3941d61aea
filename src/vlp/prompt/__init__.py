"""Observation and memory to messages, policy to target text: one renderer for data, training and runtime."""
