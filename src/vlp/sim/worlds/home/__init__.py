"""The world `home`: two furnished rooms with things, doors, switches, gauges and people."""
