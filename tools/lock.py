"""Resolve requirements.in once more and write requirements.lock and requirements-sdk.lock: `make lock`.

Both files hold exact versions, for CPython 3.12 on Linux and on macOS, and no addresses. requirements.lock is all that
the checkout runs on. requirements-sdk.lock is the part of it that our packages need and a Hummingbot does not bring,
mostly Paradex's SDK: what `pip install --no-deps` adds to a Hummingbot without moving any of its packages.

What is locked stays unless requirements.in or overrides.txt make it move; more may move with uv's own options, such as
`make lock ARGS='--upgrade-package mypy'`. Needs uv on the PATH (or in $UV) and the package index.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
SDK_LOCK = ROOT / "requirements-sdk.lock"
# uv's name of a platform, and sys.platform there.
PLATFORMS = {"x86_64-manylinux_2_28": "linux", "aarch64-apple-darwin": "darwin"}
HUMMINGBOT = "hummingbot"
# What our packages import and a Hummingbot does not bring: Paradex's SDK, STARK signatures, sorted price levels.
ADDED = ("paradex-py", "fast-stark-crypto", "sortedcontainers")
# Stood in for by compat/starknet-crypto-py.
DROP_IN = "starknet-crypto-py"


def resolve(requirements: Path, platform: str, *options: str) -> dict[str, str]:
    """Give the version of every package that `requirements` come to on `platform`, as near to the lock as can be."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / LOCK.name
        # uv prefers the versions that it finds in its output file.
        output.write_bytes(LOCK.read_bytes())
        command = [
            os.environ.get("UV", "uv"),
            "pip",
            "compile",
            str(requirements),
            "--output-file",
            str(output),
            "--quiet",
        ]
        command += [
            "--python-version",
            "3.12",
            "--python-platform",
            platform,
            "--override",
            str(ROOT / "overrides.txt"),
        ]
        command += ["--no-emit-package", DROP_IN, "--no-annotate", "--no-header", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return dict(line.split("==") for line in output.read_text(encoding="utf-8").splitlines())


def merge(versions: dict[str, dict[str, str]]) -> str:
    """Write {sys.platform: {name: version}} as requirements, with a marker where the platforms differ."""
    lines = {f"{name}=={version}" for on_platform in versions.values() for name, version in on_platform.items()}
    text = ""
    for line in sorted(lines, key=lambda line: line.split("==")):
        name, version = line.split("==")
        platforms = [platform for platform, on_platform in versions.items() if on_platform.get(name) == version]
        marker = "" if len(platforms) == len(versions) else f" ; sys_platform == '{platforms[0]}'"
        text += f"{line}{marker}\n"
    return text


def main() -> None:
    """Write both files; the program's arguments are options for uv when it resolves requirements.in."""
    everything, sdk = {}, {}
    for uv_platform, platform in PLATFORMS.items():
        everything[platform] = resolve(ROOT / "requirements.in", uv_platform, *sys.argv[1:])
    LOCK.write_text(merge(everything), encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        only = Path(scratch) / "requirements.in"
        for uv_platform, platform in PLATFORMS.items():
            only.write_text(f"{HUMMINGBOT}=={everything[platform][HUMMINGBOT]}\n", encoding="utf-8")
            brought = resolve(only, uv_platform)
            only.write_text("".join(f"{name}=={everything[platform][name]}\n" for name in ADDED), encoding="utf-8")
            needed = resolve(only, uv_platform, "--constraint", str(LOCK))
            sdk[platform] = {name: version for name, version in needed.items() if name not in brought}
    SDK_LOCK.write_text(merge(sdk), encoding="utf-8")


if __name__ == "__main__":
    main()
