"""The dataset doctor: every check is a function that turns samples into findings."""
