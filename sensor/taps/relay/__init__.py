"""
The relay: a streaming splice between an SMTP client and its next hop. It keeps no mail and answers for nobody.

``splice`` is the protocol, without a socket or a clock; ``session`` gives it both; ``server`` listens; ``tap`` makes a
source of mail of it.
"""
