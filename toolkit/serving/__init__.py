"""Pictures over HTTP: matching and retrieval for many clients, in bounded memory."""
