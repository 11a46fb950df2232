"""A detector's exported graph -> boxes around what is in a picture."""
