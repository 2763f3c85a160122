"""The connector's benchmarks, from end to end with small numbers: that they measure and end, not how fast it is."""

import asyncio
import json
import os
import select
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as bench, _plot, footprint
from benchmarks._peers import Peer, PeerMissingError
from benchmarks._report import Figure, print_report

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
    assert description in bench.page({}, description, {})


def test_every_missed_aim_that_a_program_explains_is_one_that_it_has() -> None:
    why = bench.reasons("footprint")
    assert set(why) <= {f"ratio_hyperliquid_{key}_{pairs}" for key in footprint.AIMED for pairs in footprint.PAIRS}
    assert bench.reasons("startup") == {}


def printed(capsys: pytest.CaptureFixture[str], *figures: Figure) -> str:
    print_report("Something", figures)
    return capsys.readouterr().out


def test_the_page_begins_with_what_was_asked_and_says_what_was_missed_and_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signing = printed(
        capsys,
        Figure("ours_ms", "one order, ours", "ms", (0.6, 0.7)),
        Figure("ratio_ccxt", "ccxt to ours", "x", (60.0, 61.0), 45.0),
        Figure("unheard_of", "something new", "x", (3.0,), 2.0),
    )
    bots = printed(
        capsys,
        Figure("ratio_hyperliquid_idle_1", "idle: theirs to ours", "x", (0.7,), 1.0),
        Figure("ratio_hyperliquid_busy_1", "busy: theirs to ours", "x", (0.5,), 1.0),
    )
    assert bench.rows("signing", signing)["ours_ms"] == bench.Row("one order, ours", "0.65 ms", "", "")
    text = bench.page(
        {"signing": signing, "footprint": bots}, "- CPU: fast", {"signing": 90, "footprint": 30}, ["limiter"]
    )
    asked, why, *rest = text.split("\n## ")[1:]
    assert "| **How long does it take to sign an order" in asked
    assert "| ccxt to ours | ≥ 45.0 | 60.5 x | reached |" in asked
    assert "| **What else is aimed at** | something new | ≥ 2.00 | 3.00 x | reached |" in asked
    assert "one order, ours" not in asked
    assert "idle: theirs to ours (0.70 x, aim ≥ 1.00)" in why
    assert bench.reasons("footprint")["ratio_hyperliquid_idle_1"] in why
    assert "with `benchmarks.footprint`" in why  # of the one that has no reason of its own
    assert len(rest) == 2
    assert "in 2 minutes (signing 1.5, footprint 0.5)" in text
    assert "Could not be measured in this run: limiter." in text


def test_a_program_that_cannot_measure_does_not_lose_what_the_others_have(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = printed(capsys, Figure("ours_ms", "one order, ours", "ms", (0.6,), 1.0, True))
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(bench, "PROGRAMS", ("signing", "limiter"))
    monkeypatch.setattr(bench, "measured", lambda name, _: None if name == "limiter" else output)
    monkeypatch.setattr(bench, "explanation", lambda name: (f"What of {name}?", ""))
    monkeypatch.setattr(bench, "reasons", lambda name: {})
    assert bench.main(["signing"]) == 0
    assert bench.main(["--without-peers"]) == 1
    assert not bench.PAGE.exists()  # not everything was asked for
    assert bench.main([]) == 1
    assert "## What of signing?" in bench.PAGE.read_text()
    assert "Could not be measured in this run: limiter." in bench.PAGE.read_text()


def test_a_program_that_fails_or_ends_otherwise_has_not_measured() -> None:
    assert bench.measured("signing", [sys.executable, "-c", "print('{}')"]) == "{}\n"
    assert bench.measured("signing", [sys.executable, "-c", "print('{}'); raise SystemExit(1)"]) is None
    assert bench.measured("signing", [sys.executable, "-c", "print('done')"]) is None


def test_a_program_that_hangs_is_ended_with_all_that_it_has_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "_MINUTES", 1 / 60)
    fifo = tmp_path / "fifo"  # both hold it open for writing, and its reader sees when nobody does any more
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert bench.measured("signing", ["sh", "-c", f"exec 3>{fifo}; sleep 100 & echo ready >&3; wait"]) is None
        assert select.select([reader], [], [], 10)[0]
        assert os.read(reader, 100) == b"ready\n"
        assert select.select([reader], [], [], 10)[0]
        assert os.read(reader, 100) == b""
    finally:
        os.close(reader)


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
