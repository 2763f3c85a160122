"""The Dockerfile copies what is there and installs as the README's line does. Docker itself is not needed."""

import re
import shlex

from tests.packaging.conftest import ROOT
from tests.packaging.test_install import documented_commands


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return [(keyword, rest) for keyword, _, rest in lines]


def copied_from_the_checkout() -> list[str]:
    copies = (shlex.split(rest) for keyword, rest in instructions() if keyword == "COPY")
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def test_what_it_copies_is_there() -> None:
    missing = [source for source in copied_from_the_checkout() if not (ROOT / source).exists()]
    assert copied_from_the_checkout()
    assert not missing


def test_what_it_copies_is_not_kept_from_docker() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignore
    assert {source.rstrip("/") for source in copied_from_the_checkout()} == {
        line.removeprefix("!") for line in ignore if line.startswith("!")
    }


def test_it_installs_with_the_documented_line() -> None:
    (line,) = documented_commands(contained="pip install")
    assert ("RUN", line) in instructions()


def test_it_links_the_connector_as_documented() -> None:
    (line,) = documented_commands(contained="ln -s")
    assert ("RUN", line) in instructions()


def test_it_builds_the_wheels_that_make_builds() -> None:
    (command,) = (rest for keyword, rest in instructions() if keyword == "RUN" and "pip wheel" in rest)
    (recipe,) = (
        line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "wheel --quiet" in line
    )
    built = [word for word in shlex.split(command) if word == "." or word.startswith("./")]
    assert built == [".", "./compat/starknet-crypto-py"]
    assert recipe.endswith(" . ./$(DROP_IN)")


def test_it_stands_on_a_release_of_the_official_image() -> None:
    arguments = dict(rest.split("=") for keyword, rest in instructions() if keyword == "ARG")
    assert re.fullmatch(r"version-\d+\.\d+\.\d+", arguments["HUMMINGBOT_TAG"])
    assert ("FROM", "hummingbot/hummingbot:${HUMMINGBOT_TAG}") in instructions()
    assert any(keyword == "ENV" and "PYTHONUTF8=1" in rest.split() for keyword, rest in instructions())
