"""What a tuned model must pass before it is used: it is the model that was trained, it still sees, and it plans better."""
