"""The same small mail, recorded in other ways: address families, encapsulations, file formats, cut packets."""

from dialogue import Dialogue
from lab import Lab, case
from mails import STRANGER, plain
from recorder import Recording
from truth import Recipient, Transaction, Truth

INBOUND = "tcp port 25 and host 192.0.2.25"
ANN = Recipient(address="ann@corp.example")


def _one_mail(lab: Lab, subject: str, identifier: str, text: str = "") -> Truth:
    message = plain(subject, identifier, text=text)
    lab.deliver(lab.peer, lab.mx, message, STRANGER, "ann@corp.example")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                reverse_path=STRANGER,
                recipients=(ANN,),
                size_octets=len(message),
                subject=subject,
                message_id=identifier,
            ),
        )
    )


@case(Recording("ip6 and tcp port 25"))
def ipv6(lab: Lab) -> Truth:
    """
    over IPv6
    """
    message = plain("Over IPv6", "lab.ipv6@partner.example")
    with Dialogue(lab.peer.connect(lab.mx.ipv6, 25)) as session:
        session.greet(lab.peer.name)
        session.envelope(STRANGER, "ann@corp.example")
        session.content(message)
        session.quit()
    lab.logged("mx", rf"client=host.partner.example\[{lab.peer.ipv6}\]")
    return Truth(
        transactions=(
            Transaction(
                client=lab.peer,
                server=lab.mx,
                src_ip=lab.peer.ipv6,
                dst_ip=lab.mx.ipv6,
                reverse_path=STRANGER,
                recipients=(ANN,),
                size_octets=len(message),
                subject="Over IPv6",
                message_id="lab.ipv6@partner.example",
            ),
        )
    )


@case(Recording(span="vlan"))
def vlan(lab: Lab) -> Truth:
    """
    from a span port that tags its mirror with 802.1Q

    Every frame has a tag (VLAN 25) between the addresses and the EtherType. Only the first hop reaches the mailbox by
    port 25; the mirror shows the LMTP hop to the store as well.
    """
    return _with_lmtp(lab, _one_mail(lab, "Tagged", "lab.vlan@partner.example"))


@case(Recording(span="qinq"))
def qinq(lab: Lab) -> Truth:
    """
    from a span port that tags its mirror twice, 802.1ad outside

    EtherType 88a8 with VLAN 100, then 8100 with VLAN 25.
    """
    return _with_lmtp(lab, _one_mail(lab, "Tagged twice", "lab.qinq@partner.example"))


@case(Recording(span="vxlan"))
def vxlan(lab: Lab) -> Truth:
    """
    from a span port that sends its mirror through VXLAN

    As cloud mirrors do: whole Ethernet frames in UDP to port 4789, network identifier 4660. The outer packets of
    full-sized segments are longer than 1500 octets.

    A wrong sensor stops at UDP.
    """
    text = "One line of a long story.\n" * 150
    return _with_lmtp(lab, _one_mail(lab, "In a tunnel", "lab.vxlan@partner.example", text))


def _with_lmtp(lab: Lab, truth: Truth) -> Truth:
    lab.settle()
    (first,) = truth.transactions
    second = Transaction(
        client=lab.mx,
        server=lab.store,
        port=24,
        protocol="lmtp",
        reverse_path=first.reverse_path,
        recipients=first.recipients,
        subject=first.subject,
        message_id=first.message_id,
    )
    return Truth(transactions=(first, second))


@case(Recording("tcp port 25", interface="lo", on="mx"))
def loopback(lab: Lab) -> Truth:
    """
    on the loopback interface

    A program on the MX hands a mail to its own server. Linux records `lo` as Ethernet with addresses of zeros; client
    and server have the same address, and checksums are not computed.

    A wrong sensor cannot tell the two directions apart.
    """
    message = plain("From within", "lab.loopback@corp.example", from_="cron@corp.example")
    with Dialogue(lab.mx.connect("127.0.0.1", 25)) as session:
        session.greet("localhost")
        session.envelope("cron@corp.example", "ann@corp.example")
        session.content(message)
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.mx,
                server=lab.mx,
                src_ip="127.0.0.1",
                dst_ip="127.0.0.1",
                helo="localhost",
                reverse_path="cron@corp.example",
                recipients=(ANN,),
                size_octets=len(message),
                subject="From within",
                message_id="lab.loopback@corp.example",
            ),
        )
    )


@case(Recording("tcp port 25 or tcp port 24", interface="any", on="mx", options=("-y", "LINUX_SLL")))
def any_sll(lab: Lab) -> Truth:
    """
    on all interfaces of the MX, Linux cooked capture version 1

    `tcpdump -i any` puts a header of 16 octets in place of Ethernet's. Both hops are in the file.
    """
    return _with_lmtp(lab, _one_mail(lab, "Cooked", "lab.sll@partner.example"))


@case(Recording("tcp port 25 or tcp port 24", interface="any", on="mx", options=("-y", "LINUX_SLL2")))
def any_sll2(lab: Lab) -> Truth:
    """
    on all interfaces of the MX, Linux cooked capture version 2

    As version 1, but the header has 20 octets and begins with the protocol.
    """
    return _with_lmtp(lab, _one_mail(lab, "Cooked again", "lab.sll2@partner.example"))


@case(Recording("tcp port 25", interface="eth0 lo", on="mx", tool="dumpcap"))
def pcapng_two_interfaces(lab: Lab) -> Truth:
    """
    pcapng with two interfaces, recorded by dumpcap

    One mail comes in on eth0, one on lo. Each packet names its interface.
    """
    first = _one_mail(lab, "On eth0", "lab.pcapng.eth0@partner.example")
    second = loopback(lab)
    return Truth(transactions=(*first.transactions, *second.transactions))


@case(Recording(INBOUND, interface="v-host v-mx", tool="dumpcap"))
def every_frame_twice(lab: Lab) -> Truth:
    """
    two ports of the switch recorded at once, so every frame is there twice

    The span covers the ports of both ends. The copies differ in interface and by some microseconds. dumpcap writes
    what it finds on a port in one go, so the file is not in order of time: the copies of a whole exchange, SYN to
    FIN, may follow after it. There is one session and one mail.

    A wrong sensor counts the mail twice, because it takes the second SYN for a new connection.
    """
    return _one_mail(lab, "Seen twice", "lab.twice@partner.example")


@case(Recording(INBOUND, options=("--time-stamp-precision=nano",)))
def nanoseconds(lab: Lab) -> Truth:
    """
    pcap with nanosecond timestamps

    The magic number is a1b23c4d. A wrong sensor is a thousand times too far within each second.
    """
    return _one_mail(lab, "To the nanosecond", "lab.nano@partner.example")


@case(Recording(INBOUND, options=("-s", "150")))
def snaplen(lab: Lab) -> Truth:
    """
    packets cut at 150 octets

    Commands and short replies fit; the reply to EHLO and the content do not. The lengths in the IP headers still tell
    what is missing, so the session can be followed to its end: the header section is gone, the envelope and the
    outcome are not.

    A wrong sensor waits for the missing octets and sees neither final reply nor QUIT.
    """
    (whole,) = _one_mail(lab, "Cut short", "lab.snaplen@partner.example").transactions
    return Truth(
        transactions=(
            Transaction(
                client=whole.client,
                server=whole.server,
                reverse_path=whole.reverse_path,
                recipients=whole.recipients,
                incomplete=True,
            ),
        )
    )


@case(Recording(f"{INBOUND} and src host 192.0.2.25"))
def server_side_only(lab: Lab) -> Truth:
    """
    one direction only: what the server says

    A span of the receive side of one port shows the replies and no command. What the server repeats of addresses is
    all there is.

    A wrong sensor pairs the replies with commands it has not seen. No transaction is claimed here: how much of it to
    tell is the sensor's choice, as long as it says that it saw one side.
    """
    _one_mail(lab, "Half a dialogue", "lab.one.sided@partner.example")
    return Truth()


@case(Recording(f"{INBOUND} and dst host 192.0.2.25"))
def client_side_only(lab: Lab) -> Truth:
    """
    one direction only: what the client says

    Commands and content without a reply. Nobody knows whether the recipient was accepted or the mail delivered.

    A wrong sensor calls it delivered.
    """
    (whole,) = _one_mail(lab, "The other half", "lab.client.side@partner.example").transactions
    return Truth(
        transactions=(
            Transaction(
                client=whole.client,
                server=whole.server,
                reverse_path=whole.reverse_path,
                outcome="unknown",
                reply_code=None,
                size_octets=whole.size_octets,
                subject=whole.subject,
                message_id=whole.message_id,
                incomplete=True,
            ),
        )
    )
