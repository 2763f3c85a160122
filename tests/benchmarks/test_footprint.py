"""What the benchmark of the footprint reports; `make bench` runs it as a whole."""

from benchmarks import footprint


def test_ours_is_held_against_the_other_in_everything() -> None:
    found = {
        f"{name}_{key}_{pairs}": [value, value]
        for name, value in (("ours", 2.0), ("hyperliquid", 3.0))
        for key in footprint.WHAT
        for pairs in footprint.PAIRS
    }
    ratios = {figure.key: figure for figure in footprint.figures(found) if figure.key.startswith("ratio_")}
    assert len(ratios) == 6
    assert all(ratio.median == 1.5 and ratio.reached for ratio in ratios.values())
