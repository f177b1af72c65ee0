"""What minigan asks of the machine: threads, memory, files, locks, the console, signals."""
