"""What a list of pictures may be; one kind a file."""
