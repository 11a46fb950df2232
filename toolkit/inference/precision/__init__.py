"""Files of an export that compute in fewer bits."""
