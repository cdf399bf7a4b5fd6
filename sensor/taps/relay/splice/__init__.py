"""
The splice between a client and its next hop, without a socket or a clock: octets in, calls on a ``Port`` out.

Commands and replies pass as they come. Content streams, and only its final dot is held back until the verdict: what the
next hop has not seen the dot of, it throws away. A positive reply to a mail is always the next hop's own.

One class in layers, each of which knows those before it: what all share (``ground``), how mails pass or fail
(``mails``), what the client says (``client``), what the next hop says (``next_hop``), and what happens (``splice``).
"""

from sensor.taps.relay.splice.client import MAX_PIPELINED
from sensor.taps.relay.splice.splice import BUFFERED_OCTETS, Splice

__all__ = ["BUFFERED_OCTETS", "MAX_PIPELINED", "Splice"]
