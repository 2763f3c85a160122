# Hummingbot's official image with the Paradex connector and the paradex-sandbox command:
#
#   docker build -t hummingbot-paradex .
#
# It is used exactly as the official one, with the same mounts (conf, data, logs, ...).
ARG HUMMINGBOT_TAG=version-2.16.0

FROM python:3.12-slim AS wheels
WORKDIR /build
COPY LICENSE README.md pyproject.toml ./
COPY compat/ compat/
COPY paradex_perpetual/ paradex_perpetual/
COPY paradex_sandbox/ paradex_sandbox/
RUN pip wheel --no-cache-dir --no-deps --wheel-dir dist . ./compat/starknet-crypto-py

FROM hummingbot/hummingbot:${HUMMINGBOT_TAG}
# Hummingbot opens its files without naming an encoding.
ENV PYTHONUTF8=1 PIP_NO_CACHE_DIR=1
# Not the image's login shell, so that PATH, and with it pip and python, is that of Hummingbot's conda environment.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# The very line that the README gives: it adds packages and moves none of those that Hummingbot brought.
WORKDIR /opt/hummingbot-paradex
COPY requirements-sdk.lock ./
COPY --from=wheels /build/dist/ dist/
RUN pip install --no-deps -r requirements-sdk.lock dist/*.whl

# In this image Hummingbot runs from a checkout, and looks for connectors there.
WORKDIR /home/hummingbot
RUN ln -s "$(python -P -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"/hummingbot/connector/derivative/paradex_perpetual hummingbot/connector/derivative/
COPY conf_templates/ conf_templates/
