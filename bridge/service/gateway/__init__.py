"""`trivox gateway`: boards without radio, at MQTT as if they had one (contract.md, "Serial line").

`line` is the format, `tty` the port, `session` a board's connection to the broker, `board` what passes between the two,
`gateway` the ports that come and go, `counters` what is counted of each.

Nothing that matters is held here: a console deletes an event only once the bridge has acknowledged it, so whatever the
gateway forgets comes again. Instead of dropping what it cannot pass on it stops reading: then the board notices too.
"""
