"""Tell people of alarms: by mail, by a signed webhook, by ntfy or through Apprise."""
