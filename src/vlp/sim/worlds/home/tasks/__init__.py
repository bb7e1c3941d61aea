"""What can be asked for in the home: families of tasks, their success tests, their sentences, and the expert."""
