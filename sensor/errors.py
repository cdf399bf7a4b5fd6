"""What every error that a user can put right has in common."""

import errno

_TRY = {
    errno.EADDRINUSE: "; `ss -ltnp` tells which program listens there",
    errno.EADDRNOTAVAIL: "; `ip addr` tells the addresses of this machine",
    errno.EACCES: "; a port below 1024 takes root or CAP_NET_BIND_SERVICE",
}


class UserError(Exception):
    """Something outside the program is wrong; the message says what, where, and what would work."""


def why_not_listening(error: OSError) -> str:
    """Why an address can't be listened on, and what to look at."""
    return f"{error.strerror or error}{_TRY.get(error.errno or 0, '')}"
