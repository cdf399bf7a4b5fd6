"""The HTTP face of the running sensor: metrics, health, an API, a page."""
