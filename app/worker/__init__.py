"""What runs in a worker's pod: the process, its health files and its counters."""
