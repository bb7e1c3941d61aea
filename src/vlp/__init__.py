"""Command a robot in plain language, and read, check and change what it is about to do."""

__version__ = "0.1.0"
