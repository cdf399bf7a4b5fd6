"""Extensions of SMTP that change what the octets mean: CHUNKING, STARTTLS, SMTPUTF8, DSN, XCLIENT, XFORWARD, PROXY."""

import socket
import struct
from functools import partial

import servers
from dialogue import Dialogue
from lab import Lab, case
from mails import STRANGER, plain
from recorder import Recording
from truth import Forwarding, Recipient, TlsSession, Transaction, Truth

INBOUND = Recording("tcp port 25 and host 192.0.2.25")
ANN = Recipient(address="ann@corp.example")
REAL_CLIENT = "203.0.113.77"


@case(INBOUND)
def chunking(lab: Lab) -> Truth:
    """
    BDAT in chunks, pipelined, with an empty last one

    MAIL, RCPT and three BDAT commands go out without waiting (RFC 3030), chunk contents between the commands. One
    chunk boundary cuts a header line, one falls between CR and LF, and the content holds a line with a single dot and
    a line `RSET`: none of it means anything, since chunks are counted and dots are not doubled. The last chunk is
    `BDAT 0 LAST`. A second mail in the session is one chunk.

    A wrong sensor looks for the final dot, executes the RSET, or reads headers from DATA only.
    """
    text = "First line\n.\nRSET\nMAIL FROM:<nobody@partner.example>\n..two dots\nEnd\n"
    message = plain("In three chunks", "lab.chunking.1@partner.example", text=text)
    second = plain("In one chunk", "lab.chunking.2@partner.example")
    first_cut, second_cut = 30, message.index(b"First line\r\n") + len(b"First line\r")
    pieces = [message[:first_cut], message[first_cut:second_cut], message[second_cut:]]
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.send(
            b"MAIL FROM:<peter@partner.example> BODY=8BITMIME\r\nRCPT TO:<ann@corp.example>\r\n"
            + b"".join(b"BDAT %d\r\n%s" % (len(piece), piece) for piece in pieces)
            + b"BDAT 0 LAST\r\n"
        )
        session.expect(250, 250, 250, 250, 250, 250)
        session.envelope(STRANGER, "bob@corp.example")
        session.send(b"BDAT %d LAST\r\n%s" % (len(second), second))
        session.expect(250)
        session.quit()
    hop = partial(Transaction, client=lab.peer, server=lab.mx, reverse_path=STRANGER)
    return Truth(
        transactions=(
            hop(
                reverse_path_params={"BODY": "8BITMIME"},
                recipients=(ANN,),
                size_octets=len(message),
                subject="In three chunks",
                message_id="lab.chunking.1@partner.example",
            ),
            hop(
                recipients=(Recipient(address="bob@corp.example"),),
                size_octets=len(second),
                subject="In one chunk",
                message_id="lab.chunking.2@partner.example",
            ),
        )
    )


@case(INBOUND)
def chunking_exim(lab: Lab) -> Truth:
    """
    Exim relays to Postfix by BDAT

    A real sender that uses CHUNKING whenever it is offered, with pipelining. The mail comes from a PC by way of the
    organisation's relay.
    """
    message = plain("By way of the relay", "lab.exim@corp.example", from_="dora@corp.example", to="bob@corp.example")
    lab.submit(lab.relay, message, "dora@corp.example", "ann@corp.example", "bob@corp.example")
    lab.settle()
    lab.logged("relay", r"=> (?:ann|bob)@corp.example .* C=\"250")
    return Truth(
        transactions=(
            Transaction(
                client=lab.relay,
                server=lab.mx,
                reverse_path="dora@corp.example",
                recipients=(ANN, Recipient(address="bob@corp.example")),
                subject="By way of the relay",
                message_id="lab.exim@corp.example",
                from_=("dora@corp.example",),
            ),
        )
    )


@case(INBOUND)
def chunk_refused(lab: Lab) -> Truth:
    """
    a chunk that the server refuses and yet has to swallow

    The only recipient is refused while the client has already sent its chunk. The server answers 554 to BDAT and
    throws the counted octets away. They hold lines that look like commands. A good mail follows in the same session.

    A wrong sensor reads the refused chunk as commands, and so invents a mail from `evil@partner.example`.
    """
    chunk = b"RSET\r\nMAIL FROM:<evil@partner.example>\r\nRCPT TO:<bob@corp.example>\r\nDATA\r\n"
    message = plain("After the refused chunk", "lab.chunk.refused@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.send(
            b"MAIL FROM:<peter@partner.example>\r\nRCPT TO:<nobody@corp.example>\r\nBDAT %d LAST\r\n%s"
            % (len(chunk), chunk)
        )
        session.expect(250, 550, 554)
        session.say("RSET", 250)
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    hop = partial(Transaction, client=lab.peer, server=lab.mx, reverse_path=STRANGER)
    refused = Recipient(address="nobody@corp.example", code=550, accepted=False)
    return Truth(
        transactions=(
            hop(recipients=(refused,), outcome="rejected", reply_code=None),
            hop(
                recipients=(ANN,),
                size_octets=len(message),
                subject="After the refused chunk",
                message_id="lab.chunk.refused@partner.example",
            ),
        )
    )


@case(INBOUND)
def starttls(lab: Lab) -> Truth:
    """
    Postfix to Postfix with STARTTLS

    After the 220 everything is TLS. There is no transaction to see, but there is a session, its greeting, its size
    and no more.

    A wrong sensor reports nothing at all, or parses TLS records as commands.
    """
    message = plain("Behind TLS", "lab.starttls@partner.example")
    with (
        lab.mx_postfix.settings(smtpd_tls_security_level="may"),
        lab.world_postfix.settings(smtp_tls_security_level="may", smtp_tls_loglevel="1"),
    ):
        lab.submit(lab.world, message, STRANGER, "ann@corp.example")
        lab.settle()
    lab.logged("world", "Untrusted TLS connection established to 192.0.2.25")
    lab.logged("world", r"to=<ann@corp.example>.*status=sent")
    return Truth(tls_sessions=(TlsSession(client=lab.world, server=lab.mx),))


@case(INBOUND)
def starttls_refused(lab: Lab) -> Truth:
    """
    STARTTLS offered, then refused with 454, and the mail carries on in clear

    The server allows one new TLS session per client and minute. Two sessions turn to TLS (the second is one too many,
    and is closed after the handshake); the third is refused with `454 4.7.0`, and the client, for which TLS is
    optional, sends its mail in clear in that same session.

    A wrong sensor stops reading at the STARTTLS command instead of at the 220 that answers it.
    """
    message = plain("In clear after all", "lab.starttls.refused@partner.example")
    with lab.mx_postfix.settings(smtpd_tls_security_level="may", smtpd_client_new_tls_session_rate_limit="1"):
        for _ in range(2):
            with lab.dial(lab.peer, lab.mx) as session:
                session.greet(lab.peer.name)
                session.say("STARTTLS", 220)
                session.start_tls(lab.mx.name)
        with lab.dial(lab.peer, lab.mx) as session:
            session.greet(lab.peer.name)
            session.say("STARTTLS", 454)
            session.envelope(STRANGER, "ann@corp.example")
            session.content(message)
            session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ANN,),
                size_octets=len(message),
                subject="In clear after all",
                message_id="lab.starttls.refused@partner.example",
            ),
        ),
        tls_sessions=(TlsSession(client=lab.peer, server=lab.mx, sni="mx.corp.example"),) * 2,
    )


@case(INBOUND)
def starttls_unknown(lab: Lab) -> Truth:
    """
    STARTTLS tried though nobody offered it

    The server answers 502 and the session goes on in clear.
    """
    message = plain("No TLS here", "lab.starttls.unknown@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet(lab.peer.name)
        session.say("STARTTLS", 502)
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ANN,),
                size_octets=len(message),
                subject="No TLS here",
                message_id="lab.starttls.unknown@partner.example",
            ),
        )
    )


@case(Recording("tcp port 465"))
def tls_from_the_start(lab: Lab) -> Truth:
    """
    submission inside TLS from the first octet

    Port 465 (RFC 8314): the client's first record is a ClientHello, and its server name is all that can be read.
    Nothing says SMTP but the port.
    """
    with lab.dial(lab.desk, lab.mx, 465) as session:
        session.start_tls(lab.mx.name)
        session.greet(lab.desk.name)
        session.envelope("dora@corp.example", "ann@corp.example")
        session.content(plain("Out of sight", "lab.tls@corp.example", from_="dora@corp.example"))
        session.quit()
    lab.logged("mx", "message-id=<lab.tls@corp.example>")
    hidden = TlsSession(client=lab.desk, server=lab.mx, port=465, helo="", tls_start="implicit", sni=lab.mx.name)
    return Truth(tls_sessions=(hidden,))


@case(Recording("tcp port 25 and host 192.0.2.50"))
def early_pipelining(lab: Lab) -> Truth:
    """
    Exim sends EHLO before the banner has come

    Exim remembers that the server offered PIPECONNECT. The first session is as usual; in the second, EHLO, MAIL, RCPT
    and BDAT with the mail leave in one go before the server's 220, and all replies come after.

    A wrong sensor wants the banner first, or pairs it with EHLO, and is one reply behind from there on.
    """
    subjects = ("To learn what the server can", "Before the banner")
    for n, subject in enumerate(subjects, 1):
        message = plain(
            subject, f"lab.early.{n}@corp.example", from_="dora@corp.example", to="desk@branch.corp.example"
        )
        lab.submit(lab.relay, message, "dora@corp.example", "desk@branch.corp.example")
        lab.settle()
        lab.logged("relay", rf"=> desk@branch.corp.example .*{'' if n == 1 else ' L[*] '}")
    return Truth(
        transactions=tuple(
            Transaction(
                client=lab.relay,
                server=lab.branch,
                reverse_path="dora@corp.example",
                recipients=(Recipient(address="desk@branch.corp.example"),),
                subject=subject,
                message_id=f"lab.early.{n}@corp.example",
            )
            for n, subject in enumerate(subjects, 1)
        )
    )


@case(INBOUND)
def smtputf8(lab: Lab) -> Truth:
    """
    addresses and headers in UTF-8

    MAIL has the SMTPUTF8 parameter (RFC 6531); reverse-path, recipient and header fields hold raw UTF-8.

    The mailbox's server has no SMTPUTF8, so the mail bounces; the bounce has an ORCPT of type utf-8 (RFC 6533) with
    `\\x{FC}` for the letter.

    A wrong sensor shows them with replacement characters, or refuses to read the address.
    """
    message = plain(
        "Grüße aus Köln",
        "lab.smtputf8@partner.example",
        from_="Jürgen <jürgen@partner.example>",
        to="übung@corp.example",
    )
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.say("MAIL FROM:<jürgen@partner.example> BODY=8BITMIME SMTPUTF8", 250)
        session.say("RCPT TO:<übung@corp.example>", 250)
        session.content(message)
        session.quit()
    lab.settle()
    lab.logged("mx", "sender non-delivery notification")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path="jürgen@partner.example",
                reverse_path_params={"BODY": "8BITMIME", "SMTPUTF8": True},
                recipients=(Recipient(address="übung@corp.example"),),
                size_octets=len(message),
                subject="Grüße aus Köln",
                message_id="lab.smtputf8@partner.example",
                from_=("jürgen@partner.example",),
                to=("übung@corp.example",),
            ),
            Transaction(
                client=lab.mx,
                server=lab.world,
                reverse_path="",
                recipients=(Recipient(address="jürgen@partner.example"),),
                subject="Undelivered Mail Returned to Sender",
                from_=("MAILER-DAEMON@staff.corp.example",),
                to=("jürgen@partner.example",),
                forwarding=Forwarding(look_alike="dsn", mechanism="postfix bounce"),
            ),
        )
    )


@case(INBOUND)
def dsn_parameters(lab: Lab) -> Truth:
    """
    RET, ENVID, NOTIFY and ORCPT in xtext

    The DSN extension (RFC 3461) puts parameters on MAIL and RCPT; `+2B` in them is an encoded plus sign. ORCPT tells
    to whom the mail was first addressed, which is the best trace of an alias on the way.
    """
    message = plain("With parameters", "lab.dsn@partner.example")
    with lab.dial(lab.peer, lab.mx) as session:
        session.greet("host.partner.example")
        session.say(f"MAIL FROM:<{STRANGER}> SIZE={len(message)} RET=HDRS ENVID=lab+2Benvelope+3D1", 250)
        session.say("RCPT TO:<ann@corp.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ann+2Bwork@partner.example", 250)
        session.say("RCPT TO:<bob@corp.example> NOTIFY=NEVER", 250)
        session.content(message)
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                reverse_path_params={"SIZE": str(len(message)), "RET": "HDRS", "ENVID": "lab+envelope=1"},
                recipients=(
                    Recipient(address="ann@corp.example", orcpt="rfc822;ann+work@partner.example"),
                    Recipient(address="bob@corp.example"),
                ),
                size_octets=len(message),
                subject="With parameters",
                message_id="lab.dsn@partner.example",
            ),
        )
    )


@case(INBOUND)
def xclient(lab: Lab) -> Truth:
    """
    a filter tells of the real client with XCLIENT

    After XCLIENT the server starts over with a new 220 banner, and the client greets again. Postfix logs the mail as
    coming from 203.0.113.77.

    A wrong sensor takes the second banner for the answer to the next command, or the filter for the client.
    """
    message = plain("Through the filter", "lab.xclient@partner.example")
    with lab.dial(lab.edge, lab.mx) as session:
        session.greet("edge.corp.example")
        session.say(
            f"XCLIENT NAME=far.partner.example ADDR={REAL_CLIENT} PORT=41000 HELO=far.partner.example PROTO=ESMTP", 220
        )
        session.say("EHLO far.partner.example", 250)
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    lab.logged("mx", rf"client=far.partner.example\[{REAL_CLIENT}\]")
    return Truth(
        transactions=(_told(lab, message, "Through the filter", "lab.xclient@partner.example", "far.partner.example"),)
    )


@case(INBOUND)
def xforward(lab: Lab) -> Truth:
    """
    a filter tells of the real client with XFORWARD, in two lines

    XFORWARD is for the log only and may take several lines (Postfix XFORWARD_README), each answered with 250. Values
    are xtext.
    """
    message = plain("Forwarded by the filter", "lab.xforward@partner.example")
    with lab.dial(lab.edge, lab.mx) as session:
        session.greet("edge.corp.example")
        session.say(f"XFORWARD NAME=far.partner.example ADDR={REAL_CLIENT} PORT=41000", 250)
        session.say("XFORWARD PROTO=ESMTP HELO=far.partner.example IDENT=4AB123 SOURCE=REMOTE", 250)
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    lab.logged("mx", rf"orig_client=far.partner.example\[{REAL_CLIENT}\]")
    helo = "far.partner.example"
    return Truth(transactions=(_told(lab, message, "Forwarded by the filter", "lab.xforward@partner.example", helo),))


def _told(lab: Lab, message: bytes, subject: str, identifier: str, helo: str, port: int = 25) -> Transaction:
    return Transaction(
        client=lab.edge,
        server=lab.mx,
        port=port,
        helo=helo,
        client_ip=REAL_CLIENT,
        reverse_path=STRANGER,
        recipients=(ANN,),
        size_octets=len(message),
        subject=subject,
        message_id=identifier,
    )


PROXIED = Recording(f"tcp port {servers.PROXY_PORT}")


@case(PROXIED)
def proxy_v1(lab: Lab) -> Truth:
    """
    a load balancer in front: PROXY protocol version 1

    The client's first line is `PROXY TCP4 ...`, and only then does the server speak. The port is none that says SMTP.

    A wrong sensor takes the line for a bad command, and the load balancer for the client.
    """
    header = f"PROXY TCP4 {REAL_CLIENT} {lab.mx.ipv4} 41000 25\r\n".encode()
    return _proxied(lab, header, "Behind a balancer", "lab.proxy.v1@partner.example")


@case(PROXIED)
def proxy_v2(lab: Lab) -> Truth:
    """
    a load balancer in front: PROXY protocol version 2

    The same in binary: a signature of twelve octets that holds CR LF, then addresses and ports.

    A wrong sensor looks for lines in the signature, or gives the flow up as not SMTP.
    """
    addresses = socket.inet_aton(REAL_CLIENT) + socket.inet_aton(lab.mx.ipv4) + struct.pack(">HH", 41000, 25)
    header = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack(">BBH", 0x21, 0x11, len(addresses)) + addresses
    return _proxied(lab, header, "Behind a binary balancer", "lab.proxy.v2@partner.example")


def _proxied(lab: Lab, header: bytes, subject: str, identifier: str) -> Truth:
    message = plain(subject, identifier)
    with Dialogue(lab.edge.connect(lab.mx.ipv4, servers.PROXY_PORT)) as session:
        session.send(header)
        session.greet("far.partner.example")
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    lab.logged("mx", rf"client=unknown\[{REAL_CLIENT}\]")
    return Truth(transactions=(_told(lab, message, subject, identifier, "far.partner.example", servers.PROXY_PORT),))
