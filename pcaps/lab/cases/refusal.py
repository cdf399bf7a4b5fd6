"""Mail that does not get through: refused, put off, given up, or cut off."""

from functools import partial

import servers
from dialogue import stuffed
from lab import Lab, case
from mails import STRANGER, plain
from recorder import Recording
from truth import Recipient, Transaction, Truth

INBOUND = Recording("tcp port 25 and host 192.0.2.25")
ANN = Recipient(address="ann@corp.example")
UNKNOWN = Recipient(address="nobody@corp.example", code=550, accepted=False)
GREYLISTED = Recipient(address="later@corp.example", code=450, accepted=False)


@case(INBOUND)
def refused_recipients(lab: Lab) -> Truth:
    """
    four recipients, one accepted: unknown, relay denied, greylisted, fine

    Only ann gets the mail. Each refusal has its own code, and one of them is only for now.

    A wrong sensor lists four recipients for a mail that one person got.
    """
    message = plain("For one of four", "lab.refused@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.say(f"MAIL FROM:<{STRANGER}>", 250)
        session.say("RCPT TO:<nobody@corp.example>", 550)
        session.say("RCPT TO:<someone@elsewhere.example>", 554)
        session.say("RCPT TO:<later@corp.example>", 450)
        session.say("RCPT TO:<ann@corp.example>", 250)
        session.content(message)
        session.quit()
    denied = Recipient(address="someone@elsewhere.example", code=554, accepted=False)
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(UNKNOWN, denied, GREYLISTED, ANN),
                size_octets=len(message),
                subject="For one of four",
                message_id="lab.refused@partner.example",
            ),
        )
    )


@case(INBOUND)
def all_recipients_refused(lab: Lab) -> Truth:
    """
    every recipient refused, and DATA pipelined behind them

    The client has already sent DATA when the refusals come; it is answered with 554 and no content follows.

    A wrong sensor that goes into its data state when it sees DATA eats the rest of the session, the second mail
    included.
    """
    message = plain("This one arrives", "lab.all.refused@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.pipeline(
            ("MAIL FROM:<peter@partner.example>", 250),
            ("RCPT TO:<nobody@corp.example>", 550),
            ("RCPT TO:<noone@corp.example>", 550),
            ("DATA", 554),
        )
        session.say("RSET", 250)
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    hop = partial(Transaction, client=lab.peer, server=lab.mx, reverse_path=STRANGER)
    refused = (UNKNOWN, Recipient(address="noone@corp.example", code=550, accepted=False))
    return Truth(
        transactions=(
            hop(recipients=refused, outcome="rejected", reply_code=None),
            hop(
                recipients=(ANN,),
                size_octets=len(message),
                subject="This one arrives",
                message_id="lab.all.refused@partner.example",
            ),
        )
    )


@case(INBOUND)
def mail_refused(lab: Lab) -> Truth:
    """
    the sender refused at MAIL, RCPT and DATA pipelined behind it

    The refusal is followed by two 503 for what came behind it in the same segment. A mail from another sender follows
    in the session.

    A wrong sensor gives the second mail the first one's sender, or takes a 503 for an answer to it.
    """
    message = plain("From another sender", "lab.mail.refused@partner.example")
    with lab.mx_postfix.settings(smtpd_delay_reject="no"), lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.pipeline(
            ("MAIL FROM:<banned@partner.example>", 554),
            ("RCPT TO:<ann@corp.example>", 503),
            ("DATA", 503),
        )
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    lab.logged("mx", "reject: MAIL from .*banned@partner.example")
    hop = partial(Transaction, client=lab.peer, server=lab.mx)
    return Truth(
        transactions=(
            hop(reverse_path="banned@partner.example", outcome="rejected", reply_code=554),
            hop(
                reverse_path=STRANGER,
                recipients=(ANN,),
                size_octets=len(message),
                subject="From another sender",
                message_id="lab.mail.refused@partner.example",
            ),
        )
    )


@case(INBOUND)
def size_refused(lab: Lab) -> Truth:
    """
    refused at MAIL because of the announced SIZE

    The client says how large its mail is (RFC 1870), the server refuses with 552 before a single recipient was named.
    """
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.say(f"MAIL FROM:<{STRANGER}> SIZE=99999999 BODY=8BITMIME", 552)
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                reverse_path_params={"SIZE": "99999999", "BODY": "8BITMIME"},
                outcome="rejected",
                reply_code=552,
            ),
        )
    )


@case(INBOUND)
def content_refused(lab: Lab) -> Truth:
    """
    everything accepted, and the content refused after the final dot

    A body check finds a forbidden word. The recipient was accepted with 250, the mail was transferred whole, and
    nobody got it.

    A wrong sensor that decides at the final dot counts it as delivered.
    """
    message = plain("Buy now", "lab.content.refused@partner.example", text="PLANTED-SPAM, cheap.\n")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.envelope(STRANGER, "ann@corp.example", "bob@corp.example")
        session.content(message, 550)
        session.quit()
    lab.logged("mx", "reject: body PLANTED-SPAM.*from=<peter@partner.example>")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ANN, Recipient(address="bob@corp.example")),
                outcome="rejected",
                reply_code=550,
                size_octets=len(message),
                subject="Buy now",
                message_id="lab.content.refused@partner.example",
            ),
        )
    )


@case(INBOUND)
def deferred_and_tried_again(lab: Lab) -> Truth:
    """
    greylisted on the first try, accepted on the second

    Two sessions. The first ends with 450 for the only recipient, the second delivers: one mail was delivered, one put
    off.
    """
    message = plain("Second try", "lab.deferred@partner.example", to="later@corp.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.say(f"MAIL FROM:<{STRANGER}>", 250)
        session.say("RCPT TO:<later@corp.example>", 450)
        session.quit()
    lab.mx.write("/etc/postfix/recipients", "")
    try:
        with lab.mx_postfix.settings():
            lab.deliver(lab.peer, lab.mx, message, STRANGER, "later@corp.example")
    finally:
        lab.mx.write("/etc/postfix/recipients", servers.MX_TABLES["recipients"])
    hop = partial(Transaction, client=lab.peer, server=lab.mx, reverse_path=STRANGER)
    return Truth(
        transactions=(
            hop(recipients=(GREYLISTED,), outcome="deferred", reply_code=450),
            hop(
                recipients=(Recipient(address="later@corp.example"),),
                size_octets=len(message),
                subject="Second try",
                message_id="lab.deferred@partner.example",
            ),
        )
    )


@case(INBOUND)
def quit_after_rcpt(lab: Lab) -> Truth:
    """
    the client asks whether ann exists, and says QUIT

    No content was ever sent, though MAIL and RCPT were accepted. This is how address verification and harvesting
    look.

    A wrong sensor counts a mail.
    """
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.envelope("", "ann@corp.example")
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer, server=lab.mx, reverse_path="", recipients=(ANN,), outcome="aborted", reply_code=None
            ),
        )
    )


@case(INBOUND)
def connection_lost_in_data(lab: Lab) -> Truth:
    """
    the client is killed in the middle of the content, by FIN and by RST

    Two sessions: one closes, one tears the connection down, both halfway through a mail of some size. Postfix throws
    away what it has (`lost connection after DATA`).

    A wrong sensor takes the end of the stream for the end of the mail.
    """
    message = plain("Never whole", "lab.lost@partner.example", text="A line of the body, one of many.\n" * 200)
    for torn in (False, True):
        with lab.dial(lab.peer, lab.mx) as session:
            session.greet("host.partner.example")
            session.envelope(STRANGER, "ann@corp.example")
            session.say("DATA", 354)
            session.send(message[: len(message) // 2])
            if torn:
                session.reset()
    lab.settle()
    lab.logged("mx", r"lost connection after DATA")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ANN,),
                outcome="aborted",
                reply_code=None,
                subject="Never whole",
                message_id="lab.lost@partner.example",
            ),
        )
        * 2
    )


@case(INBOUND)
def server_gives_up(lab: Lab) -> Truth:
    """
    421 after too many errors, and the server closes

    The client guesses addresses; after the third wrong one the server says 421 (RFC 5321 4.2.2) instead of an answer
    to the next command, and closes.

    A wrong sensor takes the 421 for the verdict on a recipient and lets the transaction end as delivered or open.
    """
    with (
        lab.mx_postfix.settings(smtpd_hard_error_limit="3", smtpd_error_sleep_time="0"),
        lab.dial(lab.peer, lab.mx) as session,
    ):
        session.greet("host.partner.example")
        session.say(f"MAIL FROM:<{STRANGER}>", 250)
        for name in ("adam", "berta"):
            session.say(f"RCPT TO:<{name}@corp.example>", 550)
        session.send(b"RCPT TO:<caesar@corp.example>\r\n")
        session.expect(550, 421)
    refused = tuple(
        Recipient(address=f"{name}@corp.example", code=550, accepted=False) for name in ("adam", "berta", "caesar")
    )
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=refused,
                outcome="rejected",
                reply_code=None,
            ),
        )
    )


@case(INBOUND)
def unknown_verbs(lab: Lab) -> Truth:
    """
    verbs that nobody knows, pipelined among those that everybody knows

    Each gets a 500 in its turn. They have to wait in the same queue as the others.

    A wrong sensor skips what it does not know, and from then on pairs every reply with the wrong command.
    """
    message = plain("In spite of it all", "lab.unknown.verbs@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.pipeline(
            ("XYZZY", 500),
            ("MAIL FROM:<peter@partner.example>", 250),
            ("FOO BAR BAZ", 500),
            ("RCPT TO:<ann@corp.example>", 250),
            ("HELP", 500),
            ("DATA", 354),
        )
        session.send(stuffed(message) + b"QUIT\r\n")
        session.expect(250, 221)
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ANN,),
                size_octets=len(message),
                subject="In spite of it all",
                message_id="lab.unknown.verbs@partner.example",
            ),
        )
    )


@case(INBOUND)
def smuggled_mail(lab: Lab) -> Truth:
    """
    a second mail hidden behind an end of data made of bare line feeds

    The content holds LF, dot, CR LF and then MAIL, RCPT, DATA and another mail. By RFC 5321 4.1.1.4 only CR LF dot CR
    LF ends the content, so this is one mail; this Postfix, with the settings of its Debian release, takes the bare LF
    for the end of a line and delivers two. The truth below is what the server did, and its replies say so: two times
    250 with two queue ids.

    A wrong sensor reports one mail and three replies too many, and never sees who the second mail went to.
    """
    outer = plain("The visible mail", "lab.smuggle.outer@partner.example", text="Nothing to see here.")
    inner = plain(
        "The hidden mail", "lab.smuggle.inner@partner.example", from_="boss@partner.example", to="bob@corp.example"
    )
    hidden = b"MAIL FROM:<boss@partner.example>\r\nRCPT TO:<bob@corp.example>\r\nDATA\r\n"
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.envelope(STRANGER, "ann@corp.example")
        session.say("DATA", 354)
        session.send(outer + b"\n.\r\n" + hidden + stuffed(inner))
        session.expect(250, 250, 250, 354, 250)
        session.quit()
    lab.logged("mx", "message-id=<lab.smuggle.inner@partner.example>")
    hop = partial(Transaction, client=lab.peer, server=lab.mx)
    return Truth(
        transactions=(
            hop(
                reverse_path=STRANGER,
                recipients=(ANN,),
                subject="The visible mail",
                message_id="lab.smuggle.outer@partner.example",
            ),
            hop(
                reverse_path="boss@partner.example",
                recipients=(Recipient(address="bob@corp.example"),),
                subject="The hidden mail",
                message_id="lab.smuggle.inner@partner.example",
            ),
        )
    )
