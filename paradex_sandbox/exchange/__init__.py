"""The exchange core: markets, matching, accounts, margin and funding.

Nothing here does I/O, reads a clock or knows a wire format: time comes in through `Exchange.advance`, requests through
`submit` and `cancel`, and everything that happened comes out of `drain_events`. Prices, sizes and money are Decimal,
times are integer microseconds since the Unix epoch.
"""
