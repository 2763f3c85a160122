"""A local Paradex: the same REST, WebSocket, SBE frames and signatures as the exchange, on your own machine.

`exchange` is what an exchange is (no I/O, no clock of its own), `api` what clients see, `liquidity` the other
traders, `faults` what can go wrong on request, `storage` what survives a restart, `cli` the command.
"""
