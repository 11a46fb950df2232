"""What is known of each model, and safe reading of weight files."""
