"""What others do for the same question, each in a process of its own: see `benchmarks._peers`."""
