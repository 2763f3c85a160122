"""What `make demo` runs: a bot's home, the sandbox, a live view and a summary."""
