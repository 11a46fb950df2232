"""Retrieval numbers from ranks; numpy only."""
