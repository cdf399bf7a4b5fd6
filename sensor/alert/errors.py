"""What a caller can put right about sinks and spools. Apart from what raises it: naming it is to cost no start-up."""


class SinkError(Exception):
    """A sink can't be opened, or can't be used as it is meant; the message says what the caller must put right."""


class SpoolError(Exception):
    """The spool can't be used; the message says what the caller must put right."""
