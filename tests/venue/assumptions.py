"""What no source of Paradex states and the code assumes, as it was found on the venue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One measurement; `holds` is None where there is nothing to be right or wrong."""

    assumed: str
    holds: bool | None
    measured: str

    def __str__(self) -> str:
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "found"}[self.holds]
        return f"{self.assumed}: {verdict} ({self.measured})"


class Assumptions:
    """The findings of a run.

    :param venue: its name
    :param must_hold: whether an assumption that does not hold fails the test: on the sandbox, which we made
    """

    def __init__(self, venue: str, *, must_hold: bool):
        self.venue = venue
        self.findings: list[Finding] = []
        self._must_hold = must_hold

    def found(self, assumed: str, holds: bool | None, measured: str) -> None:
        """Notes a measurement."""
        finding = Finding(assumed, holds, measured)
        self.findings.append(finding)
        assert holds is not False or not self._must_hold, str(finding)

    def lines(self) -> list[str]:
        """One line for each finding, in the order in which they were made."""
        return [str(finding) for finding in self.findings]
