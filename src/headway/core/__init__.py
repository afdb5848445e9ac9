"""What to do: pure decisions on values and ``now``. No clock, no loop, no randomness, no SDK."""
