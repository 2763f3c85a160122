"""`python -m demo`, or `make demo`: Hummingbot market-makes on a local Paradex for about a minute."""

import argparse
import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from demo.errors import DemoError, Interrupted

CHECKOUT = Path(__file__).resolve().parents[1]
_NEEDED = ("hummingbot", "paradex_sandbox", "paradex_py", "httpx", "psutil", "rich")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo.

    :return: 0 if the bot did everything that it should; 1 if not, or if something is missing; 128 and the signal's
        number if a signal ended it
    """
    arguments = _parser().parse_args(argv)
    try:
        _check_installation()
        for signal_number in _SIGNALS:
            signal.signal(signal_number, _interrupt)
        return _run(arguments)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except Interrupted as interruption:
        print("demo: interrupted; the bot and the sandbox have ended", file=sys.stderr)
        return 128 + interruption.signal_number


def _run(arguments: argparse.Namespace) -> int:
    # Imported here, so that something missing is told in one line.
    from rich.console import Console

    from demo.runner import Options, run

    options = Options(
        folder=arguments.folder,
        seconds=arguments.seconds,
        seed=arguments.seed,
        plain=arguments.plain,
        keep=arguments.keep,
    )
    return 0 if run(options, Console()).succeeded else 1


def _interrupt(signal_number: int, _frame: FrameType | None) -> None:
    # Once: what it makes the demo do, ending the bot in order, is not to be interrupted again.
    for each in _SIGNALS:
        signal.signal(each, _ignore)
    raise Interrupted(signal_number)


def _ignore(_signal_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN, not handed down to the processes that are started from here on."""


def _check_installation() -> None:
    for module in _NEEDED:
        if importlib.util.find_spec(module) is None:
            raise DemoError(f"{module} is not installed: run `make install` in {CHECKOUT}")
    package = importlib.util.find_spec("hummingbot")
    assert package is not None
    assert package.origin is not None
    if not (Path(package.origin).parent / "connector" / "derivative" / "paradex_perpetual").exists():
        raise DemoError(f"the Paradex connector is not installed in Hummingbot: run `make install` in {CHECKOUT}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Starts a local Paradex and lets Hummingbot make a market on it. Needs no account and no network.",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=50.0, metavar="N", help="how long the bot trades (default %(default).0f)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same market (default %(default)s)")
    parser.add_argument("--plain", action="store_true", help="print lines instead of a live table")
    parser.add_argument("--keep", action="store_true", help="keep the bot's home, with its log and trades")
    parser.add_argument(
        "--folder", type=Path, default=CHECKOUT / ".demo", help="where it works (default .demo in the checkout)"
    )
    return parser


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 1 <= seconds <= 3600:
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds (1 to 3600)")


if __name__ == "__main__":
    sys.exit(main())
