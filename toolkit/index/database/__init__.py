"""A folder that is an index: records and vectors in SQLite, and a structure that finds them."""
