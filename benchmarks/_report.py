"""How a benchmark reports: a table for people, then one line of JSON for programs."""

import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, once per repeat; the median stands for it. `aim` is what it should reach or stay below."""

    key: str
    title: str
    unit: str
    values: tuple[float, ...]
    aim: float | None = None
    lower_is_better: bool = False

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None where there is none."""
        if self.aim is None:
            return None
        return self.median <= self.aim if self.lower_is_better else self.median >= self.aim


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that is not below `share` (0 to 1) of them."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| | median | range | aim | |", "| --- | ---: | ---: | ---: | --- |"]
    for figure in figures:
        low, high = min(figure.values), max(figure.values)
        spread = f"{_text(low)} … {_text(high)}" if len(figure.values) > 1 else ""
        aim = "" if figure.aim is None else f"{'≤' if figure.lower_is_better else '≥'} {_text(figure.aim)}"
        verdict = {None: "", True: "reached", False: "missed"}[figure.reached]
        measured = _text(figure.median)
        if figure.reached is False and measured == _text(figure.aim or 0.0):
            measured = f"{figure.median:.4g}"  # by how little it was missed
        lines.append(f"| {figure.title} | {measured} {figure.unit} | {spread} | {aim} | {verdict} |")
    return "\n".join(lines)


def as_json(figures: Sequence[Figure]) -> str:
    """The figures and the machine as one flat JSON object: KEY the median, KEY_min and KEY_max the range."""
    flat: dict[str, float | str | int | None] = {}
    for figure in figures:
        flat[figure.key] = round(figure.median, 3)
        if len(figure.values) > 1:
            flat[f"{figure.key}_min"] = round(min(figure.values), 3)
            flat[f"{figure.key}_max"] = round(max(figure.values), 3)
    flat |= {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    return json.dumps(flat)


def print_report(title: str, figures: Sequence[Figure]) -> None:
    """Prints both on standard output."""
    print(f"{title} · Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs\n")
    print(table(figures), end="\n\n")
    print(as_json(figures))


def progress(text: str) -> None:
    """Says on standard error what is going on."""
    print(text, file=sys.stderr, flush=True)


def _text(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}".replace(",", " ")
