"""The other end of `benchmarks._peers.Peer`. Runs in the peers' environment: nothing but the standard library."""

import json
import sys
from collections.abc import Callable
from typing import Any


def serve(measure: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answers each line of JSON on standard input with one on standard output, until there is no more."""
    for line in sys.stdin:
        print(json.dumps(measure(json.loads(line))), flush=True)
