"""
The servers of the lab: who runs where, and with which settings.

======  ====================  =============  ===========================================================
key     name                  address        runs
======  ====================  =============  ===========================================================
world   mail.partner.example  198.51.100.10  Postfix: the outside, takes mail for dst.example and partner.example
peer    host.partner.example  198.51.100.66  clients only: scripts that speak SMTP to mx from outside
mx      mx.corp.example       192.0.2.25     Postfix: MX and submission; Dovecot for AUTH; PostSRSd
store   store.corp.example    192.0.2.30     Dovecot: LMTP on port 24, Pigeonhole, which redirects by way of mx
relay   relay.corp.example    192.0.2.40     Exim: a relay that speaks CHUNKING to its next hop
branch  branch.corp.example   192.0.2.50     Exim: next hop of relay for its own domain, throws everything away
desk    desk.corp.example     192.0.2.77     clients only: the users' mail programs
edge    edge.corp.example     192.0.2.5      clients only: a proxy and filter that tells mx of the real client
======  ====================  =============  ===========================================================
"""

import base64
import hmac
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from network import LOCAL_USERS, Host

ADDRESSES = {
    "mail.partner.example": "198.51.100.10",
    "host.partner.example": "198.51.100.66",
    "mx.corp.example": "192.0.2.25",
    "store.corp.example": "192.0.2.30",
    "relay.corp.example": "192.0.2.40",
    "branch.corp.example": "192.0.2.50",
    "desk.corp.example": "192.0.2.77",
    "edge.corp.example": "192.0.2.5",
}

PROXY_PORT = 10025  # mx speaks the PROXY protocol there
# ghost: mx thinks it exists, store knows better. full: over its quota. later: greylisted.
MAILBOXES = ("ann", "bob", "carl", "dora", "fay", "vera", "full", "ghost", "later", "übung")
# Made up for the lab, so that a test can search every output for them.
SECRETS = {
    "carl@corp.example": "PLANTED-SECRET-carl-7f3a",
    "dora@corp.example": "PLANTED-SECRET-dora-c41e",
}
OAUTH_KEY = b"PLANTED-SECRET-oauth-signing-key"

COMMON = {
    "compatibility_level": "3.6",
    "maillog_file": "/var/log/mail.log",
    "queue_directory": "/var/spool/postfix",
    "data_directory": "/var/lib/postfix",
    "inet_interfaces": "all",
    "inet_protocols": "all",
    "smtp_dns_support_level": "disabled",
    "smtp_host_lookup": "native",
    "lmtp_host_lookup": "native",
    "smtpd_tls_security_level": "none",
    "alias_maps": "texthash:/etc/postfix/aliases",
    "alias_database": "",
    "biff": "no",
    "home_mailbox": "Maildir/",
    "smtp_address_preference": "ipv4",
}
WORLD = COMMON | {
    "myhostname": "mail.partner.example",
    "mydomain": "partner.example",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "virtual_mailbox_domains": "dst.example, partner.example",
    "virtual_transport": "discard:",
    "transport_maps": "inline:{ { corp.example = smtp:[192.0.2.25] }, { .corp.example = smtp:[192.0.2.25] } }",
}
MX = COMMON | {
    "myhostname": "mx.corp.example",
    "mydomain": "corp.example",
    "myorigin": "staff.corp.example",
    "mydestination": "staff.corp.example, lists.corp.example",
    "mynetworks": "127.0.0.0/8, 192.0.2.30/32, 192.0.2.40/32",
    "virtual_mailbox_domains": "corp.example",
    "virtual_mailbox_maps": "texthash:/etc/postfix/mailboxes",
    "virtual_transport": "lmtp:inet:192.0.2.30:24",
    "virtual_alias_maps": "texthash:/etc/postfix/virtual",
    "transport_maps": "inline:{ { dst.example = smtp:[198.51.100.10] }, { partner.example = smtp:[198.51.100.10] } }",
    "body_checks": "regexp:/etc/postfix/body_checks",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
    "smtpd_sender_restrictions": "check_sender_access texthash:/etc/postfix/senders",
    "smtpd_recipient_restrictions": "check_recipient_access texthash:/etc/postfix/recipients",
    "smtpd_authorized_xclient_hosts": "192.0.2.5",
    "smtpd_authorized_xforward_hosts": "192.0.2.5",
    "smtpd_sasl_type": "dovecot",
    "smtpd_sasl_path": "private/auth",
    "smtpd_tls_chain_files": "/etc/postfix/key-and-certificate.pem",
}
MASTER = """\
smtp       inet  n  -  n  -  -  smtpd
submission inet  n  -  n  -  -  smtpd
  -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes
smtps      inet  n  -  n  -  -  smtpd
  -o syslog_name=postfix/smtps -o smtpd_tls_wrappermode=yes
10025      inet  n  -  n  -  -  smtpd
  -o syslog_name=postfix/proxied -o smtpd_upstream_proxy_protocol=haproxy
pickup     unix  n  -  n  60 1  pickup
cleanup    unix  n  -  n  -  0  cleanup
qmgr       unix  n  -  n  300 1  qmgr
tlsmgr     unix  -  -  n  1000? 1  tlsmgr
rewrite    unix  -  -  n  -  -  trivial-rewrite
bounce     unix  -  -  n  -  0  bounce
defer      unix  -  -  n  -  0  bounce
trace      unix  -  -  n  -  0  bounce
proxymap   unix  -  -  n  -  -  proxymap
smtp       unix  -  -  n  -  -  smtp
lmtp       unix  -  -  n  -  -  lmtp
error      unix  -  -  n  -  -  error
retry      unix  -  -  n  -  -  error
discard    unix  -  -  n  -  -  discard
local      unix  -  n  n  -  -  local
anvil      unix  -  -  n  -  1  anvil
scache     unix  -  -  n  -  1  scache
postlog    unix-dgram n -  n  -  1  postlogd
"""
MX_TABLES = {
    "mailboxes": "".join(f"{name}@corp.example {name}\n" for name in MAILBOXES),
    "virtual": "sales@corp.example sales.team@dst.example\n",
    "aliases": "team ann@corp.example, bob@corp.example, yuri@dst.example, zoe@partner.example\n"
    "owner-team dora@corp.example\n",
    "senders": "banned@partner.example REJECT 5.7.1 Not wanted here\n",
    "recipients": "later@corp.example DEFER 4.2.0 Greylisted, try again later\n",
    "body_checks": "/PLANTED-SPAM/ REJECT 5.7.1 Content refused\n",
}

STORE_CONF = """\
protocols = lmtp
log_path = /var/log/dovecot.log
hostname = store.corp.example
listen = *
ssl = no
mail_location = maildir:~/Maildir
mail_plugins = quota
submission_host = 192.0.2.25:25
postmaster_address = postmaster@corp.example
lmtp_save_to_detail_mailbox = no
userdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
passdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
service lmtp {
  inet_listener lmtp {
    port = 24
  }
}
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve = file:/etc/dovecot/sieve/%n.sieve
  quota = maildir:User quota
}
"""
SIEVE = {
    "fay": 'redirect "fay.home@dst.example";\n',
    "vera": 'require "vacation";\nvacation :subject "Away until Monday" "I am away and will answer on Monday.";\n',
}

AUTH_CONF = """\
protocols =
log_path = /var/log/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 xoauth2
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2
  args = /etc/dovecot/oauth2.conf
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5
  args = scheme=PLAIN username_format=%u /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=/var/home/vmail
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
"""
OAUTH_CONF = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=/etc/dovecot/keys/
username_attribute = email
"""

EXIM_COMMON = """\
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
daemon_smtp_ports = 25
tls_advertise_hosts =
host_lookup =
keep_environment =
log_selector = +pipelining
disable_ipv6 = true
acl_smtp_rcpt = accept
queue_run_max = 1
"""
RELAY_ROUTES = """\
begin routers
aliased:
  driver = redirect
  local_parts = info
  domains = corp.example
  data = info.corp@dst.example
  errors_to = info@corp.example
branch:
  driver = manualroute
  domains = branch.corp.example
  route_list = * 192.0.2.50
  transport = early
inward:
  driver = manualroute
  domains = corp.example
  route_list = * 192.0.2.25
  transport = onward
outward:
  driver = manualroute
  domains = dst.example : partner.example
  route_list = * 198.51.100.10
  transport = onward
begin transports
onward:
  driver = smtp
  hosts_try_prdr =
early:
  driver = smtp
  hosts_try_prdr =
  hosts_pipe_connect = *
begin retry
* * F,1h,1m
"""
BRANCH_ROUTES = """\
begin routers
nowhere:
  driver = redirect
  data = :blackhole:
"""


class Postfix:
    """A Postfix on a host."""

    def __init__(self, host: Host, settings: dict[str, str], tables: dict[str, str]) -> None:
        self.host = host
        self._settings = settings
        for name, text in tables.items():
            host.write(f"/etc/postfix/{name}", text)
        host.write("/etc/postfix/aliases", tables.get("aliases", ""))
        host.write("/etc/postfix/master.cf", MASTER)
        self._write_main({})
        (host.files / "var/lib/postfix").mkdir()
        shutil.chown(host.files / "var/lib/postfix", "postfix", "postfix")
        (host.files / "var/spool/postfix").mkdir()
        host.run("postfix", "start")

    def _write_main(self, changes: dict[str, str]) -> None:
        lines = (f"{name} = {value}\n" for name, value in (self._settings | changes).items())
        self.host.write("/etc/postfix/main.cf", "".join(lines))

    @contextmanager
    def settings(self, **changes: str) -> Iterator[None]:
        """Run with other settings for a while."""
        self._write_main(changes)
        self._reload()
        try:
            yield
        finally:
            self._write_main({})
            self._reload()

    def _reload(self) -> None:
        self.host.run("postfix", "reload")
        time.sleep(0.5)

    def is_idle(self) -> bool:
        """True if no mail waits for a delivery attempt."""
        spool = self.host.files / "var/spool/postfix"
        return not any(
            path.is_file() for queue in ("maildrop", "incoming", "active") for path in (spool / queue).rglob("*")
        )

    def forget_deferred(self) -> None:
        """Empty the queue, so that no later case records another attempt."""
        self.host.run("postsuper", "-d", "ALL")


class Exim:
    """An Exim on a host. Debian's package conflicts with Postfix's, so it is unpacked beside it and not installed."""

    def __init__(self, host: Host, package: Path, routes: str) -> None:
        self.host = host
        user = LOCAL_USERS["Debian-exim"]
        for folder in ("var/spool/exim4", "var/log/exim4"):
            (host.files / folder).mkdir(parents=True)
            os.chown(host.files / folder, user, user)
        here = host.files / "exim"  # Exim's unprivileged user may not reach into the repository
        shutil.copytree(package, here)
        (libraries,) = (here / "usr/lib").glob("*-linux-gnu*")
        host.write("/etc/ld.so.conf.d/exim.conf", f"{libraries}\n")
        host.run("ldconfig")
        first = f"exim_path = {here}/usr/sbin/exim4\nprimary_hostname = {host.name}\n"
        host.write("/etc/exim4/exim4.conf", first + EXIM_COMMON + routes)
        host.start(f"{here}/usr/sbin/exim4", "-bdf", "-q1h")

    def is_idle(self) -> bool:
        """True if no mail waits."""
        return not any((self.host.files / "var/spool/exim4").glob("input/**/*-H"))


def start_dovecot_store(host: Host) -> None:
    """Start Dovecot with LMTP, Pigeonhole, and a mailbox that is full."""
    home = "/var/home/vmail"
    users = "".join(
        f"{name}@corp.example:{{PLAIN}}unused:5000:5000::{home}/{name}::"
        f"{'userdb_quota_rule=*:storage=1K' if name == 'full' else ''}\n"
        for name in MAILBOXES
        if name != "ghost"
    )
    host.write("/etc/dovecot/dovecot.conf", STORE_CONF)
    host.write("/etc/dovecot/users", users)
    for name, script in SIEVE.items():
        host.write(f"/etc/dovecot/sieve/{name}.sieve", script)
    (host.files / "etc/dovecot/sieve").chmod(0o777)  # Pigeonhole keeps compiled scripts beside their sources
    for name in MAILBOXES:
        folder = host.files / home.lstrip("/") / name
        folder.mkdir()
        os.chown(folder, LOCAL_USERS["vmail"], LOCAL_USERS["vmail"])
    host.start("dovecot", "-F")


def start_dovecot_auth(host: Host) -> None:
    """Start Dovecot as the AUTH service of Postfix."""
    host.write("/etc/dovecot/dovecot.conf", AUTH_CONF)
    host.write("/etc/dovecot/oauth2.conf", OAUTH_CONF)
    host.write("/etc/dovecot/users", "".join(f"{user}:{{PLAIN}}{secret}\n" for user, secret in SECRETS.items()))
    key = base64.b64encode(OAUTH_KEY).decode()
    host.write("/etc/dovecot/keys/default/HS256/default", key)
    host.start("dovecot", "-F")


def start_postsrsd(host: Host) -> None:
    """Start PostSRSd; Postfix asks it only while a case says so."""
    host.write("/etc/postsrsd.secret", "PLANTED-SECRET-srs\n")
    host.start("postsrsd", "-s/etc/postsrsd.secret", "-dcorp.example", "-4", "-unobody")


def oauth_token(user: str) -> str:
    """An access token (RFC 7519, HS256) that Dovecot on mx accepts for *user*."""
    now = int(time.time())
    claims = {"email": user, "sub": user, "iat": now - 60, "exp": now + 86400, "iss": "corp.example"}
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + _base64url(hmac.digest(OAUTH_KEY, signed, "sha256"))).decode()


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def make_certificate(host: Host) -> None:
    """Give a host a self-signed certificate for STARTTLS."""
    folder = host.files / "etc/postfix"
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    make = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={host.name}")
    subprocess.run([*make, *files], check=True, stderr=subprocess.DEVNULL)
    both = (folder / "key.pem").read_text() + (folder / "certificate.pem").read_text()
    host.write("/etc/postfix/key-and-certificate.pem", both, mode=0o600)
