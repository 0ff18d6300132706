"""Run firmware, network, broker and bridge in one process under virtual time: thousands of seeds a minute.

The firmware's modules and the bridge's intake and store are real; scheduler, flash, network, broker, people and clocks
are models. A failure is a seed: the same seed gives the same run, to the byte.
"""
