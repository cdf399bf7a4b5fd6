"""What every error that a user can put right has in common."""


class UserError(Exception):
    """Something outside the program is wrong; the message says what, where, and what would work."""
