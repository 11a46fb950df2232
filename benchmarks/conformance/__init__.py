"""Side by side with the original: PaddleClas, PaddleX, and independent implementations."""
