"""What features may be written as; one format a file."""
