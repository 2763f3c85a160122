"""What the benchmark of the footprint reports, and that whole bots trade on its servers."""

import json

from benchmarks import footprint
from benchmarks._peers import Peer
from benchmarks._sandbox import served


def test_ours_is_held_against_the_other_in_everything() -> None:
    found = {
        f"{name}_{key}_{pairs}": [value, value]
        for name, value in (("ours", 2.0), ("hyperliquid", 3.0))
        for key in footprint.WHAT
        for pairs in footprint.PAIRS
    }
    stalls = {"stall": [5.0], "collection": [1.0], "stall_sdk": [30.0]}
    figures = {figure.key: figure for figure in footprint.figures(found | stalls)}
    ratios = [figure for key, figure in figures.items() if key.startswith("ratio_")]
    assert len(ratios) == len(footprint.WHAT) * len(footprint.PAIRS)
    assert all(ratio.median == 1.5 and ratio.reached is not False for ratio in ratios)
    assert figures["stall_ms"].reached


def test_both_bots_trade_whole_on_their_servers() -> None:
    told = footprint.facts()
    for client in footprint.CLIENTS:
        venue = served("_bot_venue", json.dumps({**told, "pairs": 2}))
        with venue as url, Peer("bots", own_environment=False) as peer:
            job = footprint.job_of(told, url, client, 2) | {"bare": True}
            assert peer.ask({**job, "do": "idle", "seconds": 0.1})["idle"] >= 0
            work = peer.ask({"do": "work", "seconds": 0.5, "books": 50, "orders": 20})
            assert work["busy"] > 0 < work["pace"]
            assert work["memory"] > work["added"]
            stall = peer.ask({"do": "stall", "orders": 20, "seconds": 0.2, "sdk": False})
            assert stall["stall"] > 0
