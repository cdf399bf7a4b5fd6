"""Mail that is delivered, in all the ways in which servers deliver it."""

from functools import partial

import network
from dialogue import stuffed
from lab import Lab, case
from mails import RFC2231_MAIL, STRANGER, noise, plain, table, with_attachments
from recorder import Recording
from truth import Attachment, Recipient, Transaction, Truth

INBOUND = Recording("tcp port 25 and host 192.0.2.25")


@case(INBOUND)
def plain_delivery(lab: Lab) -> Truth:
    """
    one mail, one command at a time

    The simplest case: EHLO, MAIL, RCPT, DATA, final dot, QUIT, each waiting for its reply. The body has a line that
    begins with a dot, which travels doubled: the size is the one without it.

    A wrong sensor counts the stuffed dot or the final dot line as content.
    """
    message = plain("The figures", "lab.plain@partner.example")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "ann@corp.example")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(Recipient(address="ann@corp.example"),),
                size_octets=len(message),
                subject="The figures",
                message_id="lab.plain@partner.example",
                from_=(STRANGER,),
                to=("ann@corp.example",),
                attachments=(),
            ),
        )
    )


@case(INBOUND)
def helo_only(lab: Lab) -> Truth:
    """
    an old client that says HELO

    No extensions, so no parameters and no pipelining. The protocol is `smtp`, not `esmtp`.
    """
    message = plain("Old school", "lab.helo@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example", verb="HELO")
        session.envelope(STRANGER, "bob@corp.example")
        session.content(message)
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                protocol="smtp",
                reverse_path=STRANGER,
                recipients=(Recipient(address="bob@corp.example"),),
                size_octets=len(message),
                subject="Old school",
                message_id="lab.helo@partner.example",
            ),
        )
    )


@case(INBOUND)
def pipelining(lab: Lab) -> Truth:
    """
    Postfix to Postfix with four recipients in one pipeline

    The client sends MAIL, four RCPT and DATA in one segment; the replies come together too (RFC 2920). The second
    recipient is refused, so reply and command have to be paired by order.

    A wrong sensor gives the refusal to the last recipient, or takes the 354 for the answer to RCPT.
    """
    recipients = (
        "ann@corp.example",
        "axel@corp.example",
        "bob@corp.example",
        "carl@corp.example",
    )  # Postfix sorts them anyway
    lab.submit(lab.world, plain("To four of you", "lab.pipelining@partner.example"), STRANGER, *recipients)
    lab.settle()
    lab.logged("world", r"to=<axel@corp.example>.*status=bounced")
    return Truth(
        transactions=(
            Transaction(
                client=lab.world,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=tuple(
                    Recipient(address=address, code=550, accepted=False)
                    if address.startswith("axel")
                    else Recipient(address=address)
                    for address in recipients
                ),
                subject="To four of you",
                message_id="lab.pipelining@partner.example",
            ),
        )
    )


@case(INBOUND)
def pipelined_whole_mail(lab: Lab) -> Truth:
    """
    MAIL, RCPT and DATA in one segment, and the content with QUIT in the next

    RFC 2920 lets a client send QUIT right behind the final dot. The octets after the dot are commands again, in the
    same segment.

    A wrong sensor that leaves its data state at the end of the segment takes QUIT for content.
    """
    message = plain("In two segments", "lab.two.segments@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.pipeline(
            ("MAIL FROM:<peter@partner.example>", 250),
            ("RCPT TO:<ann@corp.example>", 250),
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
                recipients=(Recipient(address="ann@corp.example"),),
                size_octets=len(message),
                subject="In two segments",
                message_id="lab.two.segments@partner.example",
            ),
        )
    )


@case(INBOUND)
def several_mails(lab: Lab) -> Truth:
    """
    three mails in one session, NOOP and VRFY between them

    The envelope is new for each mail; the session's facts (the client's name) stay.

    A wrong sensor carries recipients of the first mail into the second, or records only the first.
    """
    mails = [
        (plain(f"Mail number {n}", f"lab.several.{n}@partner.example"), name)
        for n, name in enumerate(("ann", "bob", "carl"), 1)
    ]
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        for message, name in mails:
            session.envelope(STRANGER, f"{name}@corp.example")
            session.content(message)
            session.say("NOOP", 250)
            session.say("VRFY ann@corp.example", 252)
        session.quit()
    return Truth(
        transactions=tuple(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(Recipient(address=f"{name}@corp.example"),),
                transaction_index=n - 1,
                size_octets=len(message),
                subject=f"Mail number {n}",
                message_id=f"lab.several.{n}@partner.example",
            )
            for n, (message, name) in enumerate(mails, 1)
        )
    )


@case(INBOUND)
def connection_reuse(lab: Lab) -> Truth:
    """
    Postfix keeps its connection and sends three mails over it

    The sender caches connections to the MX. Before each mail but the first it sends RSET to see whether the server is
    still there: such an RSET aborts nothing.

    A wrong sensor reports aborted transactions without a sender.
    """
    with lab.world_postfix.settings(smtp_connection_cache_destinations="192.0.2.25"):
        for n in (1, 2, 3):
            lab.submit(lab.world, plain(f"Reuse {n}", f"lab.reuse.{n}@partner.example"), STRANGER, "ann@corp.example")
            lab.settle()
    lab.logged("world", "conn_use=2")
    return Truth(
        transactions=tuple(
            Transaction(
                client=lab.world,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(Recipient(address="ann@corp.example"),),
                transaction_index=n - 1,
                subject=f"Reuse {n}",
                message_id=f"lab.reuse.{n}@partner.example",
            )
            for n in (1, 2, 3)
        )
    )


@case(INBOUND)
def swaks(lab: Lab) -> Truth:
    """
    a mail with an attachment as swaks makes it

    Another client with habits of its own: it asks for two recipients one by one, and writes MIME with its own
    boundaries.
    """
    attached = "one;two\n" * 100
    lab.peer.write("/var/tmp/notes.csv", attached)
    lab.peer.run(
        *(
            "swaks",
            "--server",
            lab.mx.ipv4,
            "--ehlo",
            lab.peer.name,
            "--from",
            STRANGER,
            "--to",
            "ann@corp.example,bob@corp.example",
        ),
        *(
            "--header",
            "Subject: Notes",
            "--header",
            "Message-Id: <lab.swaks@partner.example>",
            "--body",
            "See the notes.",
        ),
        *("--attach-type", "text/csv", "--attach-name", "notes.csv", "--attach", "@/var/tmp/notes.csv"),
    )
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(Recipient(address="ann@corp.example"), Recipient(address="bob@corp.example")),
                subject="Notes",
                message_id="lab.swaks@partner.example",
                from_=(STRANGER,),
                attachments=(Attachment(filename="notes.csv", content_type="text/csv", size_octets=len(attached)),),
            ),
        )
    )


@case(INBOUND)
def rset_in_the_middle(lab: Lab) -> Truth:
    """
    RSET after RCPT, then another mail, then a second EHLO that drops a third envelope

    RSET and EHLO abort what is open (RFC 5321 4.1.1.5, 4.1.4). The aborted envelopes are transactions of their own:
    somebody was about to get mail.

    A wrong sensor adds their recipients to the mail that was sent.
    """
    message = plain("After the reset", "lab.rset@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.envelope("first@partner.example", "ann@corp.example", "bob@corp.example")
        session.say("RSET", 250)
        session.envelope(STRANGER, "carl@corp.example")
        session.content(message)
        session.envelope("third@partner.example", "dora@corp.example")
        session.say("EHLO host.partner.example", 250)
        session.quit()
    hop = partial(Transaction, client=lab.peer, server=lab.mx)
    return Truth(
        transactions=(
            hop(
                reverse_path="first@partner.example",
                recipients=(Recipient(address="ann@corp.example"), Recipient(address="bob@corp.example")),
                outcome="aborted",
                reply_code=None,
            ),
            hop(
                reverse_path=STRANGER,
                recipients=(Recipient(address="carl@corp.example"),),
                size_octets=len(message),
                subject="After the reset",
                message_id="lab.rset@partner.example",
            ),
            hop(
                reverse_path="third@partner.example",
                recipients=(Recipient(address="dora@corp.example"),),
                outcome="aborted",
                reply_code=None,
            ),
        )
    )


@case(Recording("tcp port 24"))
def lmtp(lab: Lab) -> Truth:
    """
    Postfix to Dovecot by LMTP: three recipients, three final replies

    LMTP (RFC 2033) answers the final dot once for each accepted recipient. `ghost` is refused at RCPT, `full` is
    accepted at RCPT and refused after the dot because the mailbox is over its quota; ann and bob get the mail.

    A wrong sensor reads the first of the three final replies and takes the others for replies to commands that were
    never sent.
    """
    to = ("ann@corp.example", "full@corp.example", "ghost@corp.example", "bob@corp.example")
    text = "A mail of more than one kilobyte, for a mailbox that may hold one.\n" + "All work and no play.\n" * 80
    lab.submit(lab.world, plain("To the mailboxes", "lab.lmtp@partner.example", text=text), "", *to)
    lab.settle()
    for name in ("ann", "bob"):
        lab.logged("mx", rf"to=<{name}@corp.example>.*status=sent \(250")
    for name, code in (("full", 552), ("ghost", 550)):
        lab.logged("mx", rf"to=<{name}@corp.example>.*status=bounced .* said: {code}")
    return Truth(
        transactions=(
            Transaction(
                client=lab.mx,
                server=lab.store,
                port=24,
                protocol="lmtp",
                reverse_path="",
                recipients=(
                    Recipient(address="ann@corp.example"),
                    Recipient(address="bob@corp.example"),
                    Recipient(address="full@corp.example", code=552, accepted=False),
                    Recipient(address="ghost@corp.example", code=550, accepted=False),
                ),
                subject="To the mailboxes",
                message_id="lab.lmtp@partner.example",
            ),
        )
    )


@case(Recording("tcp port 25 and host 192.0.2.25", compress="gz"))
def large_mail_gzip(lab: Lab) -> Truth:
    """
    a mail of 300 KB in full-sized segments, the capture compressed with gzip

    Some two hundred data segments, cut without regard to lines, with the attachment in base64.
    """
    attachment = table(4400)
    parts = [("figures.csv", "text/csv", attachment)]
    message = with_attachments("All of the figures", "lab.large.gzip@partner.example", parts)
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "ann@corp.example")
    return Truth(
        transactions=(_large(lab, message, len(attachment), "All of the figures", "lab.large.gzip@partner.example"),)
    )


@case(Recording("tcp port 25 and host 192.0.2.25", compress="zst"))
def large_mail_zstd_offload(lab: Lab) -> Truth:
    """
    a mail of 300 KB with segmentation offload, the capture compressed with Zstandard

    Recorded where the network card would still have to cut the segments: packets of up to 64 KB, and checksums that
    axel has computed yet.

    A wrong sensor drops packets longer than the MTU, or all packets with a wrong checksum.
    """
    attachment = table(4400)
    parts = [("figures.csv", "text/csv", attachment)]
    message = with_attachments("All of the figures, again", "lab.large.zstd@partner.example", parts)
    network.set_offload(lab.peer, on=True)
    network.set_offload(lab.mx, on=True)
    try:
        lab.deliver(lab.peer, lab.mx, message, STRANGER, "ann@corp.example")
    finally:
        network.set_offload(lab.peer, on=False)
        network.set_offload(lab.mx, on=False)
    return Truth(
        transactions=(
            _large(lab, message, len(attachment), "All of the figures, again", "lab.large.zstd@partner.example"),
        )
    )


def _large(lab: Lab, message: bytes, attached: int, subject: str, identifier: str) -> Transaction:
    return Transaction(
        client=lab.peer,
        server=lab.mx,
        reverse_path=STRANGER,
        recipients=(Recipient(address="ann@corp.example"),),
        size_octets=len(message),
        subject=subject,
        message_id=identifier,
        attachments=(Attachment(filename="figures.csv", content_type="text/csv", size_octets=attached),),
    )


@case(INBOUND)
def attachments(lab: Lab) -> Truth:
    """
    two binary attachments in base64

    Their sizes are those after decoding.
    """
    parts = [("report.pdf", "application/pdf", noise(3000)), ("photo.jpg", "image/jpeg", noise(5001, seed=2))]
    message = with_attachments("Report and photo", "lab.attachments@partner.example", parts)
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "ann@corp.example")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(Recipient(address="ann@corp.example"),),
                size_octets=len(message),
                subject="Report and photo",
                message_id="lab.attachments@partner.example",
                attachments=tuple(
                    Attachment(filename=name, content_type=kind, size_octets=len(octets))
                    for name, kind, octets in parts
                ),
            ),
        )
    )


@case(INBOUND)
def attachment_names(lab: Lab) -> Truth:
    """
    attachment names in three spellings: RFC 2231 in pieces, RFC 2231 with a charset, RFC 2047 in quotes

    The first is cut into three numbered pieces, the first two percent-encoded and the last quoted; the second stands
    in Content-Type only; the third is what RFC 2047 forbids and Outlook writes. The subject is two encoded-words
    whose gap disappears (RFC 2047 6.2).

    A wrong sensor shows `filename*0*`, or no name at all.
    """
    lab.deliver(lab.peer, lab.mx, RFC2231_MAIL, "juergen@partner.example", "ann@corp.example")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path="juergen@partner.example",
                recipients=(Recipient(address="ann@corp.example"),),
                size_octets=len(RFC2231_MAIL),
                subject="Rechnung für März – € 100",
                message_id="lab.rfc2231@partner.example",
                from_=("juergen@partner.example",),
                attachments=(
                    Attachment(filename="Rechnung für März 2026.pdf", content_type="application/pdf", size_octets=14),
                    Attachment(filename="Ärger.zip", content_type="application/zip", size_octets=22),
                    Attachment(filename="Übersicht.xlsx", content_type="application/octet-stream", size_octets=3),
                ),
            ),
        )
    )
