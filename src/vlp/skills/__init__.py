"""Any robot that moves its hand, with skills: what a model does by looking and moving, a few centimetres at a time."""
