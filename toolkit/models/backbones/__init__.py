"""One file a family; toolkit/registry/backbones.py has the names."""
