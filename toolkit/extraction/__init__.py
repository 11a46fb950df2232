"""Features of any list of pictures, on one machine or many; no row is lost or doubled."""
