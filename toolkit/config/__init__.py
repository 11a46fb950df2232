"""Frozen sections over a YAML 1.2 loader; every error with file, line and key."""
