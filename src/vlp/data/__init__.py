"""Samples: images, instructions and policies on disk, where they come from, and what may be wrong with them."""
