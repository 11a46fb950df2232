"""One file a family; toolkit/registry.py has the names."""
