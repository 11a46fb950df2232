"""Fast operators for training on a CPU, each equal to Paddle's; docs/kernels.md tells how."""
