"""schemathesis over every operation that the OpenAPI file has and the sandbox serves: examples, boundary values, noise.

Chosen over hypothesis alone because it brings what one would have to write: negative values for every schema, boundary
values, and checks of what must not be accepted; it moves none of the pinned packages. Headers of answers are checked
where the file describes any, which it does nowhere as yet.

It makes right and wrong values of every parameter, body and header out of the schemas, leaves required ones out, leaves
the token out or makes one up, calls methods that are not there, and goes on with what earlier answers named. What it
cannot make are requests that get far, with signatures and markets that exist: test_fuzz.py does.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from paradex_sandbox.api.rest_unsupported import FAMILIES
from tests.sandbox import spec
from tests.sandbox.conftest import Starter
from tests.sandbox.test_fuzz import use_main_key

ROOT = Path(__file__).parents[2]
#: Checks that are left out, and why.
LEFT_OUT = {
    "status_code_conformance": "ours is the same, but knows which statuses the file lacks (spec.UNLISTED)",
    "response_schema_conformance": "ours is stricter: no field that is not declared",
    "positive_data_acceptance": "the schemas say less than the exchange wants: signatures, ticks, existing markets",
    "allow_header_conformance": "for a router, /orders/batch is a path of /orders/{order_id} too, with its methods",
}
#: Per operation and phase. With 15 it takes about half a minute.
EXAMPLES = 15


@pytest.mark.skipif(not spec.SPECS.is_dir(), reason="without the OpenAPI file (in CI it has to be there: test_spec.py)")
async def test_schemathesis_finds_no_answer_that_the_spec_does_not_know(start: Starter, tmp_path: Path) -> None:
    sandbox = await start(traders=True)
    trader = await sandbox.trader()
    await use_main_key(trader)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(spec.SPECS / "openapi-prod.json")),
        *("--url", sandbox.server.url, "--header", f"Authorization: Bearer {trader.token}"),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES), "--seed", "7"),
        *("--exclude-checks", ",".join(LEFT_OUT), "--suppress-health-check", "all", "--no-shrink", "--no-color"),
        # These refuse whatever comes; test_surface.py calls each.
        *("--exclude-path-regex", f"^({'|'.join(FAMILIES)})(/|$)"),
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.sandbox.schemathesis_checks", "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    # It has not found nothing for want of doing anything.
    served = [name for name in spec.operations() if not name.split()[1].startswith(tuple(FAMILIES))]
    assert f"Tested: {len(served)}\n" in output.decode()
    assert (await trader.get("/account")).status == 200
