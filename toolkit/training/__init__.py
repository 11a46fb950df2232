"""Loops over ready objects. They know no YAML and no names."""
