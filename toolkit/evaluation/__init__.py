"""Joins embeddings, exact search and metrics into one evaluation in bounded memory."""
