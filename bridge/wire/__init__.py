"""From bytes to typed messages: the contract, signatures, the serial line, the ranges of settings."""
