"""The front doors of older tools: their commands and their files, thin over the rest."""
