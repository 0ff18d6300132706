"""The bridge: what consoles publish becomes stored events, surveys and key figures."""
