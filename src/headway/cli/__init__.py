"""The command line: ``headway run``, ``headway demo``, ``headway fake-api``."""
