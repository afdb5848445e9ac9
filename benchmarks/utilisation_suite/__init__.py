"""How much of the rate limits a client turns into finished jobs, over real HTTP (`benchmarks/utilisation.py`)."""
