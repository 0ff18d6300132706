"""Make the files of a secured broker: mosquitto's configuration, certificates, systemd units."""
