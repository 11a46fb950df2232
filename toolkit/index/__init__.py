"""Exact search, tile by tile."""
