"""`python -m paradex_sandbox` is `paradex-sandbox`."""

import sys

from paradex_sandbox.cli import main

if __name__ == "__main__":
    sys.exit(main())
