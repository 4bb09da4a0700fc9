"""The network as machine code for a CPU, made ahead of time."""
