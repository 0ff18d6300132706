"""`trivox gateway`: connects boards without radio to MQTT as if they had one (schema/README.md, "Serial line").

`bridge/wire/serial_line.py` is the format of the line, `tty` the serial port, `broker_session` a board's connection to
the broker, `relay` passes messages between the two, `gateway` serves the ports that come and go, `claims` gives each
board to one port, and `counters` counts for each port.

The gateway holds nothing that matters: a console deletes an event only once the bridge has acknowledged it, so whatever
the gateway forgets is sent again. It never drops what it cannot pass on; it stops reading, so that the board notices.
"""
