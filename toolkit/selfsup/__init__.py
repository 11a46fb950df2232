"""Training from images without labels: views, networks and a loss; the backbone is handed in."""
