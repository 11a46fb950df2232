"""How people reach the toolkit: the command line and the Python API."""
