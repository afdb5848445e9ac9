"""Doing it: one dispatcher waits, workers send, the recorder writes down what happened."""
