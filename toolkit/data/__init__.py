"""From a line of a list to pixels: manifest, sources, decode, transforms, dataset, samplers."""
