"""One program per question: `python -m benchmarks.NAME` prints a table and, last, one JSON object with flat keys."""
