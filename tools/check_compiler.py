"""Say in one line what is missing to build Hummingbot from source, and exit with 1. Runs on a bare Python."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

HINT = "Debian, Ubuntu: apt install build-essential python3.12-dev; macOS: xcode-select --install"


def missing() -> str | None:
    """Name what is missing, or give None. The compilers are those that this Python builds extensions with."""
    for variable, language in (("CC", "C"), ("CXX", "C++")):
        command = os.environ.get(variable) or sysconfig.get_config_var(variable) or ""
        if not command or shutil.which(command.split()[0]) is None:
            return f"a {language} compiler ({command.split()[0] if command else variable})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "the header files of Python 3.12"
    return None


if __name__ == "__main__":
    what = missing()
    if what is not None:
        sys.exit(f"To build Hummingbot, {what} is missing: install it ({HINT}), then make again.")
