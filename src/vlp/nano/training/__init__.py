"""The recipe of the embedded model: frames, words, training in stages, scores."""
