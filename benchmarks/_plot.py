"""Plots as SVG, for a page that is read in a light or a dark theme. Written by hand: two kinds are all there is."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_WIDTH, _BAR, _LEFT, _RIGHT = 720, 26, 210, 90
_COLOURS = ("#2f81f7", "#8b949e", "#d29922", "#a371f7", "#3fb950", "#f85149")
_STYLE = "text{font:12px sans-serif;fill:#7d8590}.title{font-weight:bold;font-size:13px}"


def bars(path: Path, title: str, unit: str, values: Mapping[str, float], ours: int = 1) -> None:
    """One bar for each value, the first `ours` in a colour of their own; on a logarithmic scale if they differ much."""
    largest, smallest = max(values.values()), min(value for value in values.values() if value > 0)
    logarithmic = largest / smallest > 20
    floor = smallest / 3

    def length(value: float) -> float:
        share = math.log(value / floor) / math.log(largest / floor) if logarithmic else value / largest
        return share * (_WIDTH - _LEFT - _RIGHT)

    parts = []
    for row, (label, value) in enumerate(values.items()):
        y = 34 + row * _BAR
        parts += [
            _text(_LEFT - 8, y + 14, label, "end"),
            f'<rect x="{_LEFT}" y="{y}" width="{length(value):.1f}" height="{_BAR - 8}" rx="2" '
            f'fill="{_COLOURS[0] if row < ours else _COLOURS[1]}"/>',
            _text(_LEFT + length(value) + 6, y + 14, f"{_number(value)} {unit}"),
        ]
    _write(path, f"{title}{' (logarithmic)' if logarithmic else ''}", 40 + len(values) * _BAR, parts)


def lines(path: Path, title: str, unit: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """One line for each series of (x, y), the first (ours) in a colour of its own; both scales are logarithmic."""
    points = [point for line in series.values() for point in line]
    low_x, high_x = math.log(min(x for x, _ in points)), math.log(max(x for x, _ in points))
    low_y, high_y = math.log(min(y for _, y in points) / 2), math.log(max(y for _, y in points) * 2)
    bottom = 260

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - low_x) / ((high_x - low_x) or 1)
        up = (math.log(y) - low_y) / (high_y - low_y)
        return 60 + across * (_WIDTH - 60 - 170), bottom - up * (bottom - 40)

    parts = [_text(place(x, 1)[0], bottom + 18, _number(x), "middle") for x in sorted({x for x, _ in points})]
    for number, (label, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(x, y) for x, y in line]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), (_, value) in zip(placed, line, strict=True):
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>', _text(x, y - 8, _number(value))]
        parts.append(_text(placed[-1][0] + 12, placed[-1][1] + 12, label))
    _write(path, f"{title}, {unit} (logarithmic)", bottom + 30, parts)


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\N{NO-BREAK SPACE}") if value >= 100 else f"{value:.3g}"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _write(path: Path, title: str, height: float, parts: Sequence[str]) -> None:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">'
    heading = f'<text class="title" x="8" y="18">{escape(title)}</text>'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, f"<style>{_STYLE}</style>", heading, *parts, "</svg>", ""]), encoding="utf-8")
