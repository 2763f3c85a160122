"""The plans of the runs: the same for a seed, and complete."""

import itertools
from collections.abc import Mapping
from typing import Any

from paradex_sandbox.faults import FaultRegistry, describe_kinds
from tests.chaos.schedule import KILL_BOT, RESTART_SANDBOX, Plan, plan_of

KINDS = describe_kinds()
NAMES = {kind["kind"] for kind in KINDS}


def plans(count: int) -> list[Plan]:
    return [plan_of(seed, KINDS) for seed in range(count)]


def injected(plan: Plan, size: int) -> list[tuple[str, ...]]:
    return [step.kinds for phase in plan.phases for step in phase if len(step.faults) == size]


def test_a_seed_always_makes_the_same_plan() -> None:
    assert plan_of(7, KINDS) == plan_of(7, KINDS)
    assert plan_of(7, KINDS).phases != plan_of(8, KINDS).phases


def test_a_dozen_seeds_have_every_kind_alone() -> None:
    assert {kinds for plan in plans(12) for kinds in injected(plan, 1)} == {(name,) for name in NAMES}


def test_two_hundred_seeds_have_every_pair_three_times() -> None:
    pairs = [pair for plan in plans(200) for pair in injected(plan, 2)]
    assert set(pairs) == {tuple(sorted(pair)) for pair in itertools.combinations(NAMES, 2)}
    assert min(map(pairs.count, set(pairs))) >= 3


def test_a_kind_that_is_new_is_not_forgotten() -> None:
    new: Mapping[str, Any] = {"kind": "meteor", "defaults": {"size": 3}, "immediate": False}
    kinds = [*KINDS, new]
    assert any("meteor" in kinds_of for seed in range(13) for kinds_of in injected(plan_of(seed, kinds), 1))


def test_the_sandbox_takes_every_fault() -> None:
    registry = FaultRegistry(lambda: 0)
    for plan in plans(100):
        for step in itertools.chain(*plan.phases):
            for fault in step.faults:
                registry.arm(fault)


def test_accidents_and_both_ways_of_everything_occur_among_a_dozen() -> None:
    some = plans(12)
    accidents = {step.accident for plan in some for phase in plan.phases for step in phase}
    assert accidents == {None, KILL_BOT, RESTART_SANDBOX}
    assert {plan.private_encoding for plan in some} == {"json", "sbe"}
    assert {(plan.settings["order_entry"], plan.private_encoding) for plan in some} == set(
        itertools.product(("rest", "websocket"), ("json", "sbe"))
    )
    assert {plan.settings["cancel_on_disconnect"] for plan in some} == {True, False}
    assert {plan.settings["book_feed"] for plan in some} == {"deltas", "snapshot"}
