"""What runs a saved graph; every engine does the same and is imported only when it is chosen."""
