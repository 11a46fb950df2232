"""Files from http(s) addresses: once, whole or not at all, or an error with the ways out."""
