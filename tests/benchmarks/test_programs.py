"""The connector's benchmarks, from end to end with small numbers: that they measure and end, not how fast it is."""

import asyncio
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as bench, _plot
from benchmarks._peers import Peer, PeerMissingError

ROOT = Path(__file__).parents[2]
FEW = {
    "signing": ("--repeats", "1", "--orders", "2", "--stall-seconds", "0.2"),
    "limiter": ("--repeats", "1"),
    "book_stream": ("--repeats", "1", "--count", "100", "--markets", "20"),
    "order_path": ("--repeats", "1", "--samples", "1", "--stall-seconds", "0.2"),
}
RATIOS = {
    "signing": {"ratio_paradex_py", "ratio_paradex_py_batch"},
    "limiter": {f"ratio_hummingbot{suffix}" for suffix in ("", "_100", "_1000", "_10000")},
    "book_stream": {
        f"ratio_{peer}" for peer in ("hyperliquid", "binance", "binance_delta", "paradex_py", "paradex_py_delta")
    },
    "order_path": set(),  # its peers are all in processes of their own
}


async def run(*arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 600)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("name", FEW)
async def test_a_program_measures_everything_plots_it_and_ends(name: str, tmp_path: Path) -> None:
    code, out, err = await run(f"benchmarks.{name}", *FEW[name], "--without-peers", "--plots", str(tmp_path))
    assert code == 0, err
    figures = json.loads(out.splitlines()[-1])
    assert {key for key in figures if key.startswith("ratio_") and not key.endswith(("_min", "_max"))} == RATIOS[name]
    assert all(value > 0 for value in figures.values() if isinstance(value, float))
    ElementTree.parse(tmp_path / f"{name}.svg")
    text = bench.section(name, out)
    assert text.startswith("## ")
    assert text.count("\n| ") == out.count("\n| ") > 5


def test_every_program_of_the_page_says_what_it_asks() -> None:
    for name in bench.PROGRAMS:
        question, text = bench.explanation(name)
        assert question.endswith("?")
        assert "python -m" not in text
    description = bench.machine()
    assert "CPU: " in description
    assert bench.page(["## One?\n"], description, 3).count("## One?") == 1


def test_a_program_that_does_not_end_with_its_json_is_not_taken() -> None:
    with pytest.raises(ValueError, match="JSON"):
        bench.section("signing", "Signing\n\n| a |\n\n[]")


def test_a_peer_without_its_environment_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks._peers.PEERS_PYTHON", tmp_path / "python")
    with pytest.raises(PeerMissingError, match="make peers"), Peer("ccxt_signing", own_environment=True):
        pass


def test_a_peer_whose_package_is_missing_is_said() -> None:
    with Peer("of_nobody", own_environment=False) as peer, pytest.raises(PeerMissingError, match="of_nobody"):
        peer.ask({})


def test_the_peers_lock_holds_versions_and_no_addresses() -> None:
    lines = (ROOT / "requirements-peers.lock").read_text().splitlines()
    assert any(line.startswith("ccxt==") for line in lines)
    assert all("==" in line and "/" not in line and " " not in line for line in lines)


def test_bars_are_as_long_as_their_values_and_logarithmic_when_these_differ_much(tmp_path: Path) -> None:
    def widths(values: dict[str, float]) -> tuple[str, list[float]]:
        _plot.bars(tmp_path / "plot.svg", "Time & more", "ms", values)
        root = ElementTree.parse(tmp_path / "plot.svg").getroot()
        rows = [float(row.attrib["width"]) for row in root.iter("{http://www.w3.org/2000/svg}rect")]
        title = next(root.iter("{http://www.w3.org/2000/svg}text")).text
        return str(title), rows

    title, (one, two) = widths({"ours": 1.0, "theirs": 2.0})
    assert title == "Time & more"
    assert two == pytest.approx(2 * one, rel=0.01)
    title, (one, two) = widths({"ours": 1.0, "theirs": 1000.0})
    assert title.endswith("(logarithmic)")
    assert one < two < 1000 * one
