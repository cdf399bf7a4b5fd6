"""Forwards: by rules of users and administrators, and by hand."""

import base64
from functools import partial
from typing import Any

import mails
import servers
from lab import Lab, case
from mails import STRANGER, plain
from network import Host
from recorder import Recording
from truth import Attachment, Forwarding, Recipient, Transaction, Truth

ALL_HOPS = Recording("tcp port 25 or tcp port 24")
SUBMITTED = Recording("tcp port 587 or tcp port 25")
NOT_FORWARDED = Forwarding()


def _hop(client: Host, server: Host, recipient: Recipient, message_id: str, **more: Any) -> Transaction:
    facts: dict[str, Any] = {"reverse_path": STRANGER, "message_id": message_id, "forwarding": NOT_FORWARDED} | more
    return Transaction(client=client, server=server, recipients=(recipient,), **facts)


@case(ALL_HOPS)
def dot_forward(lab: Lab) -> Truth:
    """
    a user's `.forward` sends his mail outside

    gus has `\\gus, gus.home@dst.example` in his `.forward`: a copy stays, another one leaves. Postfix `local` keeps
    sender, From, To, subject and Message-ID; it adds `Delivered-To: gus@staff.corp.example` on top, and ORCPT tells
    the mailbox because the next hop offers DSN.

    A wrong sensor sees a mail from the outside to the outside and takes it for transit.
    """
    identifier = "lab.dot.forward@partner.example"
    lab.mx.write("/var/home/gus/.forward", "\\gus, gus.home@dst.example\n")
    message = plain("For gus", identifier, to="gus@staff.corp.example")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "gus@staff.corp.example")
    lab.settle()
    lab.logged("mx", r"to=<gus@staff.corp.example>, relay=local.*status=sent \(delivered to maildir")
    lab.logged("mx", r"to=<gus.home@dst.example>, orig_to=<gus@staff.corp.example>.*status=sent")
    forwarding = Forwarding(
        kind="auto",
        mechanism="postfix local .forward",
        level="user",
        mailbox="gus@staff.corp.example",
        destinations=("gus.home@dst.example",),
        traces=("Delivered-To", "ORCPT", "RCPT TO not in To"),
    )
    return Truth(
        transactions=(
            _hop(lab.peer, lab.mx, Recipient(address="gus@staff.corp.example"), identifier, subject="For gus"),
            _hop(
                lab.mx,
                lab.world,
                Recipient(address="gus.home@dst.example", orcpt="rfc822;gus@staff.corp.example"),
                identifier,
                subject="For gus",
                to=("gus@staff.corp.example",),
                forwarding=forwarding,
            ),
        )
    )


@case(ALL_HOPS)
def virtual_alias(lab: Lab) -> Truth:
    """
    an administrator's virtual alias leads outside

    `sales@corp.example` is no mailbox but an alias for `sales.team@dst.example`. Nothing is added to the header but
    Received; ORCPT has the alias.

    A wrong sensor names a mailbox that does not exist, or holds this for a user's rule.
    """
    identifier = "lab.virtual.alias@partner.example"
    message = plain("An order", identifier, to="sales@corp.example")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "sales@corp.example")
    lab.settle()
    lab.logged("mx", r"to=<sales.team@dst.example>, orig_to=<sales@corp.example>.*status=sent")
    forwarding = Forwarding(
        kind="auto",
        mechanism="postfix virtual alias",
        level="admin",
        mailbox="sales@corp.example",
        destinations=("sales.team@dst.example",),
        traces=("ORCPT", "RCPT TO not in To"),
    )
    return Truth(
        transactions=(
            _hop(lab.peer, lab.mx, Recipient(address="sales@corp.example"), identifier, subject="An order"),
            _hop(
                lab.mx,
                lab.world,
                Recipient(address="sales.team@dst.example", orcpt="rfc822;sales@corp.example"),
                identifier,
                subject="An order",
                forwarding=forwarding,
            ),
        )
    )


def _sieve_redirect(lab: Lab, subject: str, identifier: str, reverse_path_pattern: str = "") -> Truth:
    """A mail to fay, by LMTP to her mailbox, redirected by Pigeonhole to mx and from there outside."""
    message = plain(subject, identifier, to="fay@corp.example")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "fay@corp.example")
    lab.settle()
    lab.logged("store", rf"msgid=<{identifier}>: redirect action: forwarded to <fay.home@dst.example>")
    lab.logged("mx", r"to=<fay.home@dst.example>, relay=198.51.100.10.*status=sent")
    forwarding = Forwarding(
        kind="auto",
        mechanism="sieve redirect",
        level="user",
        mailbox="fay@corp.example",
        destinations=("fay.home@dst.example",),
        traces=("X-Sieve", "X-Sieve-Redirected-From", "RCPT TO not in To"),
    )
    fay = Recipient(address="fay@corp.example")
    home = Recipient(address="fay.home@dst.example")
    inside, leaving = STRANGER, STRANGER
    if reverse_path_pattern:
        inside = leaving = lab.logged("mx", reverse_path_pattern)
    facts: dict[str, Any] = {"subject": subject, "from_": (STRANGER,), "to": ("fay@corp.example",)}
    return Truth(
        transactions=(
            _hop(lab.peer, lab.mx, fay, identifier, **facts),
            _hop(lab.mx, lab.store, fay, identifier, port=24, protocol="lmtp", reverse_path=inside, **facts),
            _hop(lab.store, lab.mx, home, identifier, forwarding=forwarding, reverse_path=inside, **facts),
            _hop(lab.mx, lab.world, home, identifier, forwarding=forwarding, reverse_path=leaving, **facts),
        )
    )


@case(ALL_HOPS)
def sieve_redirect(lab: Lab) -> Truth:
    """
    a sieve `redirect` to the outside, all four hops

    In from outside, by LMTP to Dovecot, back from Pigeonhole to the MX, out to the world. Pigeonhole keeps sender,
    From, To, subject and Message-ID and adds `X-Sieve` and `X-Sieve-Redirected-From: fay@corp.example`.

    A wrong sensor counts four mails; two of the hops are the forward, seen twice, and it is one.
    """
    return _sieve_redirect(lab, "Please keep inside", "lab.sieve.redirect@partner.example")


@case(ALL_HOPS)
def sieve_redirect_srs(lab: Lab) -> Truth:
    """
    a sieve `redirect` with PostSRSd

    As `lab_sieve_redirect`, but Postfix asks PostSRSd to rewrite every foreign envelope sender:
    `SRS0=hash=time=partner.example=peter@corp.example`. It does so as the mail comes in, so the LMTP hop, which
    forwards nothing, shows it too.

    A wrong sensor takes SRS0 alone for the proof of a forward, and finds one in the LMTP hop.
    """
    maps = {"sender_canonical_maps": "tcp:127.0.0.1:10001", "sender_canonical_classes": "envelope_sender"}
    with lab.mx_postfix.settings(**maps):
        return _sieve_redirect(lab, "Please keep inside, too", "lab.sieve.srs@partner.example", r"from=<(SRS0=[^>]*)>")


@case(ALL_HOPS)
def exim_redirect(lab: Lab) -> Truth:
    """
    an Exim relay redirects with a rewritten sender of its own

    The relay's redirect router for `info@corp.example` sends the mail on to `info.corp@dst.example`, with the
    envelope sender `info@corp.example` set on its transport: MAIL FROM is the mailbox, From is a stranger, To is the
    mailbox.

    A wrong sensor takes the mail for one that info wrote.
    """
    identifier = "lab.exim.redirect@partner.example"
    lab.deliver(
        lab.peer, lab.relay, plain("Question", identifier, to="info@corp.example"), STRANGER, "info@corp.example"
    )
    lab.settle()
    lab.logged("relay", r"=> info.corp@dst.example <info@corp.example>.*C=\"250")
    forwarding = Forwarding(
        kind="auto",
        mechanism="exim redirect router, envelope sender rewritten to the mailbox",
        level="admin",
        mailbox="info@corp.example",
        destinations=("info.corp@dst.example",),
        traces=("MAIL FROM is the mailbox and From a stranger", "RCPT TO not in To"),
    )
    return Truth(
        transactions=(
            _hop(lab.peer, lab.relay, Recipient(address="info@corp.example"), identifier, subject="Question"),
            _hop(
                lab.relay,
                lab.world,
                Recipient(address="info.corp@dst.example"),
                identifier,
                reverse_path="info@corp.example",
                subject="Question",
                from_=(STRANGER,),
                to=("info@corp.example",),
                forwarding=forwarding,
            ),
        )
    )


def _by_hand(lab: Lab, user: str, destination: str, message: bytes, forwarding: Forwarding, **facts: Any) -> Truth:
    token = base64.b64encode(f"\0{user}\0{servers.SECRETS[user]}".encode()).decode()
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet("[192.0.2.77]")
        session.say(f"AUTH PLAIN {token}", 235)
        session.envelope(user, destination)
        session.content(message)
        session.quit()
    lab.settle()
    lab.logged("mx", rf"to=<{destination}>.*status=sent")
    sent = partial(
        Transaction,
        reverse_path=user,
        recipients=(Recipient(address=destination),),
        forwarding=forwarding,
        **facts,
    )
    submitted = sent(
        client=lab.desk,
        server=lab.mx,
        port=587,
        helo="[192.0.2.77]",
        auth_user=user,
        size_octets=len(message),
    )
    return Truth(
        transactions=(submitted, sent(client=lab.mx, server=lab.world)),
        secrets=(servers.SECRETS[user], token),
    )


def _visible(user: str, destination: str, mechanism: str, *traces: str) -> Forwarding:
    return Forwarding(
        kind="visible", mechanism=mechanism, level="user", mailbox=user, destinations=(destination,), traces=traces
    )


@case(SUBMITTED)
def forward_thunderbird(lab: Lab) -> Truth:
    """
    carl forwards a mail by hand, inline, as Thunderbird does

    Submitted with AUTH, then relayed. `Fwd:`, `X-Forwarded-Message-Id`, and the original quoted under eight dashes in
    text and HTML.

    A wrong sensor takes the addresses in the quoted header block for the mail's own.
    """
    traces = ("X-Forwarded-Message-Id", "Fwd: in Subject", "Thunderbird's separator")
    forwarding = _visible("carl@corp.example", "carl.home@dst.example", "by hand, Thunderbird inline", *traces)
    return _by_hand(
        lab,
        "carl@corp.example",
        "carl.home@dst.example",
        mails.THUNDERBIRD_FORWARD,
        forwarding,
        subject="Fwd: Quarterly figures",
        message_id="2f1c9a52-8d2e-4f1b-9f0c-forward.thunderbird@corp.example",
        from_=("carl@corp.example",),
        to=("carl.home@dst.example",),
        attachments=(),
    )


@case(SUBMITTED)
def forward_outlook(lab: Lab) -> Truth:
    """
    dora forwards a mail by hand, in German, as Outlook does

    `WG:` in a subject with encoded-words, Thread-Topic without the prefix, `divRplyFwdMsg` and
    Von/Gesendet/An/Betreff in quoted-printable.
    """
    traces = ("WG: in Subject", "Thread-Topic without prefix", "divRplyFwdMsg", "Von/Gesendet/Betreff block")
    forwarding = _visible("dora@corp.example", "dora.home@dst.example", "by hand, Outlook inline", *traces)
    return _by_hand(
        lab,
        "dora@corp.example",
        "dora.home@dst.example",
        mails.OUTLOOK_FORWARD,
        forwarding,
        subject="WG: Angebot für Müller",
        message_id="DB9PR01MB0001FORWARDOUTLOOK@corp.example",
        from_=("dora@corp.example",),
        to=("dora.home@dst.example",),
        attachments=(),
    )


@case(SUBMITTED)
def forward_as_attachment(lab: Lab) -> Truth:
    """
    carl forwards a mail as an attachment

    The original is a message/rfc822 part. Its inner header claims `X-Forwarded-To: trap@dst.example` and
    `Delivered-To: ann@corp.example`, which say nothing about this mail.

    A wrong sensor reads the inner header as the mail's own and reports ann's mailbox.
    """
    traces = ("X-Forwarded-Message-Id", "Fwd: in Subject", "message/rfc822 part")
    forwarding = _visible("carl@corp.example", "carl.home@dst.example", "by hand, as attachment", *traces)
    return _by_hand(
        lab,
        "carl@corp.example",
        "carl.home@dst.example",
        mails.FORWARD_AS_ATTACHMENT,
        forwarding,
        subject="Fwd: Contract, signed",
        message_id="forward.attached.1@corp.example",
        from_=("carl@corp.example",),
        to=("carl.home@dst.example",),
        attachments=(Attachment(filename="Contract, signed.eml", content_type="message/rfc822"),),
    )


@case(SUBMITTED)
def resent_by_hand(lab: Lab) -> Truth:
    """
    dora sends a mail on as it was, with a full block of Resent fields

    What mutt calls bounce and Roundcube calls resend (RFC 5322 3.6.6): From, To, subject and Message-ID are the
    stranger's, and the Resent block on top says that a person, dora, did it.

    A wrong sensor takes it for a rule's redirect.
    """
    resent = (
        f"Resent-From: dora@corp.example\r\nResent-To: dora.home@dst.example\r\nResent-Date: {mails.DATE}\r\n"
        "Resent-Message-ID: <lab.resent.block@corp.example>\r\n"
    ).encode()
    message = resent + plain("Sent on by hand", "lab.resent@partner.example", to="dora@corp.example")
    traces = ("Resent-From", "Resent-To", "Resent-Date", "Resent-Message-ID")
    forwarding = _visible("dora@corp.example", "dora.home@dst.example", "by hand, resent", *traces)
    return _by_hand(
        lab,
        "dora@corp.example",
        "dora.home@dst.example",
        message,
        forwarding,
        subject="Sent on by hand",
        message_id="lab.resent@partner.example",
        from_=(STRANGER,),
        to=("dora@corp.example",),
    )
