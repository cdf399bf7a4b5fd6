"""AUTH (RFC 4954): the user's name is a fact, the secret is nothing that may ever come out."""

import base64
import hmac

import servers
from dialogue import Dialogue
from lab import Lab, case
from mails import plain
from recorder import Recording
from truth import Recipient, Transaction, Truth

SUBMISSION = Recording("tcp port 587")
CARL = "carl@corp.example"
DORA = "dora@corp.example"
TO = "partner.desk@partner.example"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _send_as(lab: Lab, session: Dialogue, user: str, subject: str, identifier: str, *secrets: str) -> Truth:
    message = plain(subject, identifier, from_=user, to=TO)
    session.envelope(user, TO)
    session.content(message)
    session.quit()
    lab.logged("mx", f"sasl_username={user}")
    sent = _sent_as(lab, message, user, subject, identifier)
    return Truth(transactions=(sent,), secrets=secrets)


def _sent_as(lab: Lab, message: bytes, user: str, subject: str, identifier: str) -> Transaction:
    return Transaction(
        client=lab.desk,
        server=lab.mx,
        port=587,
        auth_user=user,
        reverse_path=user,
        recipients=(Recipient(address=TO),),
        size_octets=len(message),
        subject=subject,
        message_id=identifier,
        from_=(user,),
    )


@case(SUBMISSION)
def auth_plain(lab: Lab) -> Truth:
    """
    AUTH PLAIN with an initial response

    Name and password stand in the command line itself (RFC 4616).

    A wrong sensor writes the command line to its log.
    """
    token = _base64(f"\0{CARL}\0{servers.SECRETS[CARL]}")
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        session.say(f"AUTH PLAIN {token}", 235)
        return _send_as(lab, session, CARL, "By PLAIN", "lab.auth.plain@corp.example", servers.SECRETS[CARL], token)


@case(SUBMISSION)
def auth_plain_continued(lab: Lab) -> Truth:
    """
    AUTH PLAIN, the response on a line of its own

    The server says 334 with nothing behind it, and the client's next line is no command but the response.

    A wrong sensor takes that line for an unknown verb, with the password as its name.
    """
    token = _base64(f"{CARL}\0{CARL}\0{servers.SECRETS[CARL]}")
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        session.say("AUTH PLAIN", 334)
        session.say(token, 235)
        identifier = "lab.auth.plain.continued@corp.example"
        return _send_as(lab, session, CARL, "By PLAIN, continued", identifier, servers.SECRETS[CARL], token)


@case(SUBMISSION)
def auth_login(lab: Lab) -> Truth:
    """
    AUTH LOGIN: name and password as answers to two challenges

    The first attempt has the wrong password and fails with 535; the second gets through. The name of the failed
    attempt is not who sent the mail.

    A wrong sensor keeps the first name it saw.
    """
    wrong = "PLANTED-SECRET-wrong-9d20"
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        for user, password, code in ((CARL, wrong, 535), (DORA, servers.SECRETS[DORA], 235)):
            session.say("AUTH LOGIN", 334)
            session.say(_base64(user), 334)
            session.say(_base64(password), code)
        secrets = (wrong, _base64(wrong), servers.SECRETS[DORA], _base64(servers.SECRETS[DORA]))
        return _send_as(lab, session, DORA, "By LOGIN", "lab.auth.login@corp.example", *secrets)


@case(SUBMISSION)
def auth_cram_md5(lab: Lab) -> Truth:
    """
    AUTH CRAM-MD5: the password never travels, a digest does

    The response is the user's name, a blank and an HMAC (RFC 2195), which lends itself to guessing and so is a secret
    too.
    """
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        challenge = base64.b64decode(session.say("AUTH CRAM-MD5", 334).text)
        digest = hmac.digest(servers.SECRETS[CARL].encode(), challenge, "md5").hex()
        token = _base64(f"{CARL} {digest}")
        session.say(token, 235)
        return _send_as(lab, session, CARL, "By CRAM-MD5", "lab.auth.cram@corp.example", digest, token)


@case(SUBMISSION)
def auth_xoauth2(lab: Lab) -> Truth:
    """
    AUTH XOAUTH2 with an access token

    One line holds the user's name and a bearer token; whoever reads the token is the user for as long as it lasts.
    """
    bearer = servers.oauth_token(DORA)
    token = _base64(f"user={DORA}\x01auth=Bearer {bearer}\x01\x01")
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        session.say(f"AUTH XOAUTH2 {token}", 235)
        return _send_as(lab, session, DORA, "By XOAUTH2", "lab.auth.xoauth2@corp.example", bearer, token)


@case(SUBMISSION)
def auth_xoauth2_refused(lab: Lab) -> Truth:
    """
    AUTH XOAUTH2 refused, in its peculiar way

    The server refuses with 334 and an error in JSON; the client has to send an empty line to hear the 535. Then it
    gives its password instead.

    A wrong sensor takes the empty line for a command without an answer of its own, and is one reply behind from there
    on.
    """
    refused = "PLANTED-SECRET-stale-token-55ab"
    token = _base64(f"user={DORA}\x01auth=Bearer {refused}\x01\x01")
    plain_token = _base64(f"\0{CARL}\0{servers.SECRETS[CARL]}")
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        session.say(f"AUTH XOAUTH2 {token}", 334)
        session.say("", 535)
        session.say(f"AUTH PLAIN {plain_token}", 235)
        secrets = (refused, token, servers.SECRETS[CARL], plain_token)
        return _send_as(lab, session, CARL, "After a stale token", "lab.auth.stale@corp.example", *secrets)


@case(SUBMISSION)
def auth_cancelled(lab: Lab) -> Truth:
    """
    AUTH given up with an asterisk, and the mail refused for it

    The client answers the challenge with `*` (RFC 4954 4), the server says 501. Without AUTH the outside recipient is
    refused.
    """
    with lab.dial(lab.desk, lab.mx, 587) as session:
        session.greet(lab.desk.name)
        session.say("AUTH LOGIN", 334)
        session.say(_base64(CARL), 334)
        session.say("*", 501)
        session.say(f"MAIL FROM:<{CARL}>", 250)
        session.say(f"RCPT TO:<{TO}>", 554)
        session.quit()
    return Truth(
        transactions=(
            Transaction(
                client=lab.desk,
                server=lab.mx,
                port=587,
                reverse_path=CARL,
                recipients=(Recipient(address=TO, code=554, accepted=False),),
                outcome="rejected",
                reply_code=554,
            ),
        )
    )
