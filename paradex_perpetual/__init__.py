"""Paradex perpetual futures for Hummingbot; imported as ``hummingbot.connector.derivative.paradex_perpetual``."""

__version__ = "0.1.0"
