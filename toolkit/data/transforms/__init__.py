"""The steps from RGB pixels to the tensor that a network takes; a YAML names each of them."""
