"""Figures and single-file HTML pages from plain data."""
