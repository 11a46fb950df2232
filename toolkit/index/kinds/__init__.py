"""Structures that find near vectors: one kind a file, each on FAISS."""
