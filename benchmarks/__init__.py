"""Side by side with a peer, each one command that prints one table."""
