"""The outside world, one technology a module. Adapters do not know each other."""
