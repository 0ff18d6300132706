"""The running bridge: MQTT, the writer, the control socket, metrics, the gateway."""
