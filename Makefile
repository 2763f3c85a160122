# `make demo` and `make test` work from a bare checkout: they set up .venv themselves, once. `make help` lists the rest.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check
SITE_PACKAGES = $$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# Where `make wheel` leaves the wheels.
DIST := dist
# Most of a test is waiting for processes and sockets. To debug one: make test ARGS='-n0 --pdb tests/…'
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile
# What demo, test, chaos and lock pass on: make test ARGS='tests/unit -x'
ARGS :=

DROP_IN := compat/starknet-crypto-py
DROP_IN_SOURCES := $(DROP_IN)/pyproject.toml $(wildcard $(DROP_IN)/starknet_crypto_py/*.py)
# What setuptools leaves behind; old files in there would get into the next wheel.
REMOVE_BUILDS := rm -rf build *.egg-info $(DROP_IN)/build $(DROP_IN)/*.egg-info

.PHONY: help
help:
	@echo 'make demo     trade on a local Paradex for about a minute, and print what happened'
	@echo 'make test     run all tests'
	@echo 'make chaos    trade through every fault, 200 times, and compare the bot with the exchange'
	@echo 'make bench    measure ours and the peers, and write docs/performance.md'
	@echo 'make soak     keep 50 orders open on 10 pairs for two hours, and see that nothing grows'
	@echo 'make lint     check style and types'
	@echo 'make format   put the style right'
	@echo 'make install  set up $(VENV), as every target above does by itself'
	@echo 'make wheel    build what goes into a Hummingbot of your own, in $(DIST)/'
	@echo 'make lock     resolve the requirements once more (needs uv)'
	@echo 'make clean    remove all of that; bot/, with your keys and trades, stays'

.PHONY: demo
demo: install
	@$(PYTHON) -m demo $(ARGS)

.PHONY: test
test: install
	@$(PYTHON) -m pytest $(SIDE_BY_SIDE) $(ARGS)

# Two hours; ARGS='--minutes 20' for less, see docs/reliability.md.
.PHONY: soak
soak: install
	@$(PYTHON) -W ignore -m tests.soak $(ARGS)

# The long form of tests/chaos: about a quarter of an hour. One seed once more: make chaos ARGS='--seed N --keep /tmp/chaos'
.PHONY: chaos
chaos: install
	@$(PYTHON) -m tests.chaos $(ARGS)

# ARGS names programs or options: make bench ARGS='signing'; without the index: make bench ARGS='--without-peers'
.PHONY: bench
bench: install $(if $(findstring --without-peers,$(ARGS)),,peers)
	@$(PYTHON) -W ignore -m benchmarks $(ARGS)

.PHONY: lint
lint: install
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy

.PHONY: format
format: install
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

# Into a Hummingbot that is there already (pip, source or Docker), with its own pip, and out of it again:
#
#   pip install --no-deps -r requirements-sdk.lock dist/*.whl
#   pip uninstall hummingbot-paradex
#
# --no-deps, because nothing may move a package of that Hummingbot; requirements-sdk.lock is all that it lacks. A Hummingbot
# that runs from a source checkout looks for connectors there; in the checkout, once:
#
#   ln -s "$(python -P -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"/hummingbot/connector/derivative/paradex_perpetual hummingbot/connector/derivative/
.PHONY: wheel
wheel: install
	@$(REMOVE_BUILDS) $(DIST)
	@$(PIP) wheel --quiet --no-deps --no-build-isolation --no-cache-dir --wheel-dir $(DIST) . ./$(DROP_IN)
	@$(REMOVE_BUILDS)
	@ls $(DIST)/*.whl

.PHONY: lock
lock: install
	@$(PYTHON) -m tools.lock $(ARGS)

.PHONY: clean
clean:
	$(REMOVE_BUILDS) $(VENV) $(DIST)
	rm -rf .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . \( -path ./bot -o -path ./.git \) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- What is installed, step by step. A step that failed is taken up again by the next make.

.PHONY: install
install: $(VENV)/.installed

# A command of the name may be there and yet not run: pyenv leaves one for every version that it manages.
$(VENV)/.created:
	@for python in python3.12 python3 python; do \
	    $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' >/dev/null 2>&1 || continue; \
	    $$python -c 'import ensurepip' >/dev/null 2>&1 || { \
	        echo "Python 3.12 is here without its venv module: install it (Debian, Ubuntu: apt install python3.12-venv)." >&2; \
	        exit 1; }; \
	    echo "Setting up $(VENV)"; \
	    $$python -m venv $(VENV) && touch $@; exit; \
	done; \
	echo "Python 3.12 is missing: install it (python.org, your system's packages, or pyenv install 3.12), then make again." >&2; \
	exit 1

# The lock was resolved with care, so pip shall install just that. Some of it, Hummingbot foremost, is built from source.
$(VENV)/.packages: requirements.lock | $(VENV)/.created
	@$(PYTHON) tools/check_compiler.py
	@echo "Installing the packages of requirements.lock; where Hummingbot has to be compiled, that takes about 5 minutes"
	@$(PIP) install --quiet --no-deps -r requirements.lock
	@touch $@

# Without pip's cache: it takes a folder of that name for a release, and would install an earlier build of it.
$(VENV)/.drop-in: $(DROP_IN_SOURCES) $(VENV)/.packages
	@$(REMOVE_BUILDS)
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-cache-dir --force-reinstall ./$(DROP_IN)
	@$(REMOVE_BUILDS)
	@touch $@

# The sandbox as an editable install; the connector as a link, for Hummingbot looks for connectors on the disk. The second
# link is for mypy, see pyproject.toml.
$(VENV)/.installed: pyproject.toml paradex_perpetual/__init__.py $(VENV)/.drop-in
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-cache-dir --editable .
	@$(REMOVE_BUILDS)
	@ln -sfn "$(CURDIR)/paradex_perpetual" "$(SITE_PACKAGES)/hummingbot/connector/derivative/paradex_perpetual"
	@mkdir -p $(VENV)/mypy && ln -sfn "$(SITE_PACKAGES)/hummingbot" $(VENV)/mypy/hummingbot
	@touch $@

# ---- The benchmarks' peers that cannot live with what we need, in an environment of their own.

.PHONY: peers
peers: $(VENV)/peers/.installed

$(VENV)/peers/.installed: requirements-peers.lock | $(VENV)/.created
	@echo "Installing the benchmarks' peers"
	@$(PYTHON) -m venv --clear $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip --disable-pip-version-check install --quiet --no-deps -r requirements-peers.lock
	@touch $@
