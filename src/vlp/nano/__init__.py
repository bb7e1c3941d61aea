"""The embedded model, whole: how it reads an image, how it is asked, its weights and its training."""
