"""A virtual-time model of server, network and clients, around the real budget."""
