"""Faults of processes, servers, the network and the card processor, one file each."""
