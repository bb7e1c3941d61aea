"""The policy language: parse, check, compare and convert the documents that a model writes."""
