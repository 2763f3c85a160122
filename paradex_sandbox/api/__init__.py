"""What clients see: REST, WebSocket, SBE encoding, authentication, errors. Knows no matching."""
