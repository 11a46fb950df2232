"""A saved model turns pictures into features."""
