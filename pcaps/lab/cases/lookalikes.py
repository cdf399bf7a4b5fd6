"""Mail that looks like a forward and is none: lists, auto-replies, bounces."""

from functools import partial

from lab import Lab, case
from mails import STRANGER, plain
from recorder import Recording
from truth import Forwarding, Recipient, Transaction, Truth

ALL_HOPS = Recording("tcp port 25 or tcp port 24")


@case(ALL_HOPS)
def mailing_list(lab: Lab) -> Truth:
    """
    an alias with an owner expands to insiders and outsiders

    `team@lists.corp.example` leads to two mailboxes by LMTP and to two addresses outside. Because `owner-team`
    exists, Postfix replaces the envelope sender with it, as lists do, so that bounces go to the owner. The recipients
    are named in no header.

    A wrong sensor calls each copy that leaves an auto-forward.
    """
    identifier = "lab.list@partner.example"
    message = plain("To the team", identifier, to="team@lists.corp.example")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "team@lists.corp.example")
    lab.settle()
    for address in ("yuri@dst.example", "zoe@partner.example", "ann@corp.example"):
        lab.logged("mx", rf"to=<{address}>.*status=sent")
    list_copy = Forwarding(look_alike="list", mechanism="postfix alias with owner-")
    mail = partial(Transaction, subject="To the team", message_id=identifier)
    copy = partial(mail, client=lab.mx, reverse_path="owner-team@staff.corp.example", forwarding=list_copy)
    inside = tuple(Recipient(address=f"{name}@corp.example") for name in ("ann", "bob"))
    outside = (Recipient(address="yuri@dst.example"), Recipient(address="zoe@partner.example"))
    first = mail(
        client=lab.peer,
        server=lab.mx,
        reverse_path=STRANGER,
        recipients=(Recipient(address="team@lists.corp.example"),),
        forwarding=Forwarding(),
    )
    copies = (
        copy(server=lab.store, port=24, protocol="lmtp", recipients=inside),
        copy(server=lab.world, recipients=outside),
    )
    return Truth(transactions=(first, *copies), ordered=False)


@case(ALL_HOPS)
def vacation(lab: Lab) -> Truth:
    """
    a sieve vacation reply

    vera's mailbox answers by itself, with the null reverse-path, `Auto-Submitted: auto-replied (vacation)` and
    In-Reply-To, and the answer leaves for the outside by way of the MX.

    A wrong sensor counts it as an automatic forward by vera.
    """
    identifier = "lab.vacation@partner.example"
    message = plain("Are you there?", identifier, to="vera@corp.example")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "vera@corp.example")
    lab.settle()
    lab.logged("store", rf"msgid=<{identifier}>: vacation action: sent vacation response to <{STRANGER}>")
    lab.logged("mx", rf"to=<{STRANGER}>, relay=198.51.100.10.*status=sent")
    vera = (Recipient(address="vera@corp.example"),)
    asked = partial(
        Transaction,
        reverse_path=STRANGER,
        recipients=vera,
        message_id=identifier,
        subject="Are you there?",
        forwarding=Forwarding(),
    )
    reply = partial(
        Transaction,
        reverse_path="",
        recipients=(Recipient(address=STRANGER),),
        subject="Away until Monday",
        to=(STRANGER,),
        from_=("vera@corp.example",),
        forwarding=Forwarding(look_alike="auto_reply", mechanism="sieve vacation"),
    )
    return Truth(
        transactions=(
            asked(client=lab.peer, server=lab.mx),
            asked(client=lab.mx, server=lab.store, port=24, protocol="lmtp"),
            reply(client=lab.store, server=lab.mx),
            reply(client=lab.mx, server=lab.world),
        )
    )


@case(ALL_HOPS)
def bounce(lab: Lab) -> Truth:
    """
    a bounce returns to the sender

    The MX accepts a mail for ghost, Dovecot refuses the mailbox at RCPT, and the MX sends a multipart/report with the
    null reverse-path to the sender. The report holds the original's header section and mail as parts of their own.

    A wrong sensor reads the inner Message-ID and subject as the bounce's, or takes the attached original for a
    forward.
    """
    identifier = "lab.bounce@partner.example"
    message = plain("To a ghost", identifier, to="ghost@corp.example", extra="X-Forwarded-To: trap@dst.example\n")
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "ghost@corp.example")
    lab.settle()
    lab.logged("mx", r"to=<ghost@corp.example>.*status=bounced .* said: 550")
    lab.logged("mx", r"sender non-delivery notification")
    ghost = Recipient(address="ghost@corp.example")
    refused = Recipient(address="ghost@corp.example", code=550, accepted=False)
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ghost,),
                subject="To a ghost",
                message_id=identifier,
                forwarding=Forwarding(),
            ),
            Transaction(
                client=lab.mx,
                server=lab.store,
                port=24,
                protocol="lmtp",
                reverse_path=STRANGER,
                recipients=(refused,),
                outcome="rejected",
                reply_code=None,
            ),
            Transaction(
                client=lab.mx,
                server=lab.world,
                reverse_path="",
                recipients=(Recipient(address=STRANGER),),
                subject="Undelivered Mail Returned to Sender",
                from_=("MAILER-DAEMON@staff.corp.example",),
                to=(STRANGER,),
                forwarding=Forwarding(look_alike="dsn", mechanism="postfix bounce"),
            ),
        )
    )


@case(ALL_HOPS)
def success_report(lab: Lab) -> Truth:
    """
    a delivery report that was asked for

    NOTIFY=SUCCESS makes the MX report the delivery to the sender (RFC 3461): a mail with the null reverse-path that
    carries the original's ENVID and ORCPT inside, and is neither bounce nor forward.
    """
    identifier = "lab.success@partner.example"
    message = plain("Tell me when it is there", identifier)
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet(lab.peer.name)
        session.say(f"MAIL FROM:<{STRANGER}> RET=HDRS ENVID=report-1", 250)
        session.say("RCPT TO:<ann@corp.example> NOTIFY=SUCCESS ORCPT=rfc822;ann@corp.example", 250)
        session.content(message)
        session.quit()
    lab.settle()
    lab.logged("mx", "sender delivery status notification")
    mail = partial(
        Transaction,
        reverse_path=STRANGER,
        message_id=identifier,
        subject="Tell me when it is there",
        forwarding=Forwarding(),
    )
    ann = Recipient(address="ann@corp.example", orcpt="rfc822;ann@corp.example")
    return Truth(
        transactions=(
            mail(
                client=lab.peer,
                server=lab.mx,
                recipients=(ann,),
                reverse_path_params={"RET": "HDRS", "ENVID": "report-1"},
            ),
            mail(
                client=lab.mx,
                server=lab.store,
                port=24,
                protocol="lmtp",
                recipients=(Recipient(address="ann@corp.example"),),
            ),
            Transaction(
                client=lab.mx,
                server=lab.world,
                reverse_path="",
                recipients=(Recipient(address=STRANGER),),
                subject="Successful Mail Delivery Report",
                forwarding=Forwarding(look_alike="dsn", mechanism="postfix success report"),
            ),
        )
    )
