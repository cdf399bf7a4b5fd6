"""The mails that the cases send. Everything in them is fixed, so that size and digest are the same in every run."""

import random
from email.message import EmailMessage
from email.policy import SMTP

DATE = "Sun, 22 Nov 2026 09:30:00 +0100"
STRANGER = "peter@partner.example"


def plain(
    subject: str,
    identifier: str,
    *,
    from_: str = STRANGER,
    to: str = "ann@corp.example",
    text: str = "",
    extra: str = "",
) -> bytes:
    """A small text mail; *extra* holds whole header lines."""
    body = text or "Dear all,\n\nthe figures you asked for are ready.\n.hidden files are not among them.\n\nPeter\n"
    lines = (
        f"Message-ID: <{identifier}>\nDate: {DATE}\nFrom: {from_}\nTo: {to}\nSubject: {subject}\n{extra}"
        f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{body}"
    )
    return lines.replace("\n", "\r\n").encode()


def noise(size: int, seed: int = 1) -> bytes:
    """Octets that look random and are the same every time."""
    return random.Random(seed).randbytes(size)


def table(rows: int) -> bytes:
    """A long CSV file that compresses well."""
    return b"".join(b"%06d;corp.example;invoice;2026-11-22;%08.2f;EUR\r\n" % (row, row * 1.19) for row in range(rows))


def with_attachments(subject: str, identifier: str, parts: list[tuple[str, str, bytes]], **who: str) -> bytes:
    """A multipart/mixed mail: (file name, type/subtype, octets) each in base64, names spelt by the email package."""
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = f"<{identifier}>"
    mail["Date"] = DATE
    mail["From"] = who.get("from_", STRANGER)
    mail["To"] = who.get("to", "ann@corp.example")
    mail["Subject"] = subject
    mail.set_content("See the attached files.\n")
    for name, content_type, octets in parts:
        maintype, _, subtype = content_type.partition("/")
        mail.add_attachment(octets, maintype=maintype, subtype=subtype, filename=name)
    mail.set_boundary("=-lab-boundary-mixed")
    return bytes(mail)


def fixed(text: str) -> bytes:
    """A mail written out by hand, with CRLF line ends."""
    return text.lstrip("\n").replace("\n", "\r\n").encode()


QUOTED_ORIGINAL = """\
-------- Forwarded Message --------
Subject: \tQuarterly figures
Date: \tFri, 20 Nov 2026 17:04:11 +0100
From: \tPeter Partner <peter@partner.example>
To: \tCarl Corp <carl@corp.example>


Hello Carl,

here are the figures for the third quarter. Please keep them to yourself.

Peter
"""

THUNDERBIRD_FORWARD = fixed(
    f"""
Content-Type: multipart/alternative; boundary="------------0yJq7Kc0mVt1Lh2sW3x4Y5z6"
Message-ID: <2f1c9a52-8d2e-4f1b-9f0c-forward.thunderbird@corp.example>
Date: {DATE}
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Subject: Fwd: Quarterly figures
References: <original.figures@partner.example>
Content-Language: en-GB
To: Carl at home <carl.home@dst.example>
From: Carl Corp <carl@corp.example>
In-Reply-To: <original.figures@partner.example>
X-Forwarded-Message-Id: <original.figures@partner.example>

This is a multi-part message in MIME format.
--------------0yJq7Kc0mVt1Lh2sW3x4Y5z6
Content-Type: text/plain; charset=UTF-8; format=flowed
Content-Transfer-Encoding: 7bit

For tonight.

{QUOTED_ORIGINAL}
--------------0yJq7Kc0mVt1Lh2sW3x4Y5z6
Content-Type: text/html; charset=UTF-8
Content-Transfer-Encoding: 7bit

<!DOCTYPE html><html><head><meta http-equiv="content-type" content="text/html; charset=UTF-8"></head><body>
<p>For tonight.</p><div class="moz-forward-container"><br><br>-------- Forwarded Message --------
<table class="moz-email-headers-table" cellspacing="0" cellpadding="0" border="0"><tbody>
<tr><th valign="BASELINE" align="RIGHT">Subject: </th><td>Quarterly figures</td></tr>
<tr><th valign="BASELINE" align="RIGHT">From: </th><td>Peter Partner &lt;peter@partner.example&gt;</td></tr>
</tbody></table><br>Hello Carl,<br>here are the figures for the third quarter.<br></div></body></html>

--------------0yJq7Kc0mVt1Lh2sW3x4Y5z6--
"""
)

OUTLOOK_FORWARD = fixed(
    f"""
From: Dora Corp <dora@corp.example>
To: "dora.home@dst.example" <dora.home@dst.example>
Subject: WG: Angebot =?utf-8?Q?f=C3=BCr_M=C3=BCller?=
Thread-Topic: Angebot =?utf-8?Q?f=C3=BCr_M=C3=BCller?=
Thread-Index: AQHbPGV0aGVyZUlzTm90aGluZ0hlcmUAAQIDBAUGBwgJCgsMDQ4PEA==
Date: {DATE}
Message-ID: <DB9PR01MB0001FORWARDOUTLOOK@corp.example>
References: <angebot.77@partner.example>
In-Reply-To: <angebot.77@partner.example>
Accept-Language: de-DE, en-US
Content-Language: de-DE
X-MS-Has-Attach:
X-MS-TNEF-Correlator:
Content-Type: multipart/alternative; boundary="_000_DB9PR01MB0001FORWARDOUTLOOK_"
MIME-Version: 1.0

--_000_DB9PR01MB0001FORWARDOUTLOOK_
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

Zur Kenntnis

________________________________
Von: Petra M=C3=BCller <petra@partner.example>
Gesendet: Freitag, 20. November 2026 17:04
An: Dora Corp <dora@corp.example>
Betreff: Angebot f=C3=BCr M=C3=BCller

Sehr geehrte Frau Corp, anbei unser Angebot.

--_000_DB9PR01MB0001FORWARDOUTLOOK_
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

<html><head><meta http-equiv=3D"Content-Type" content=3D"text/html; charset=3Dutf-8"></head><body dir=3D"ltr">
<div>Zur Kenntnis</div><hr style=3D"display:inline-block;width:98%" tabindex=3D"-1">
<div id=3D"divRplyFwdMsg" dir=3D"ltr"><b>Von:</b> Petra M=C3=BCller &lt;petra@partner.example&gt;<br>
<b>Gesendet:</b> Freitag, 20. November 2026 17:04<br><b>Betreff:</b> Angebot f=C3=BCr M=C3=BCller</div>
<div>Sehr geehrte Frau Corp, anbei unser Angebot.</div></body></html>

--_000_DB9PR01MB0001FORWARDOUTLOOK_--
"""
)

FORWARD_AS_ATTACHMENT = fixed(
    f"""
Content-Type: multipart/mixed; boundary="------------ForwardAsAttachment1"
Message-ID: <forward.attached.1@corp.example>
Date: {DATE}
MIME-Version: 1.0
User-Agent: Mozilla Thunderbird
Subject: Fwd: Contract, signed
To: carl.home@dst.example
From: Carl Corp <carl@corp.example>
X-Forwarded-Message-Id: <inner.contract@partner.example>

This is a multi-part message in MIME format.
--------------ForwardAsAttachment1
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 7bit


--------------ForwardAsAttachment1
Content-Type: message/rfc822; charset=UTF-8; name="Contract, signed.eml"
Content-Disposition: attachment; filename="Contract, signed.eml"
Content-Transfer-Encoding: 7bit

Return-Path: <petra@partner.example>
Delivered-To: ann@corp.example
X-Forwarded-To: trap@dst.example
Message-ID: <inner.contract@partner.example>
Date: Fri, 20 Nov 2026 17:04:11 +0100
From: Petra Partner <petra@partner.example>
To: Carl Corp <carl@corp.example>
Subject: Contract, signed
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8

Signed, as agreed.

--------------ForwardAsAttachment1--
"""
)

RFC2231_MAIL = fixed(
    f"""
Message-ID: <lab.rfc2231@partner.example>
Date: {DATE}
From: =?iso-8859-1?Q?J=FCrgen_Partner?= <juergen@partner.example>
To: ann@corp.example
Subject: =?utf-8?B?UmVjaG51bmcgZsO8ciBNw6RyeiDigJMg?= =?utf-8?B?4oKsIDEwMA==?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=rfc2231

--rfc2231
Content-Type: text/plain; charset=us-ascii

Three names: in pieces, with a charset, and as Outlook writes it.
--rfc2231
Content-Type: application/pdf
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
 filename*0*=utf-8''Rechnung%20f%C3%BCr%20;
 filename*1*=M%C3%A4rz%20;
 filename*2="2026.pdf"

JVBERi0xLjQKJWxhYgo=
--rfc2231
Content-Type: application/zip; name*=iso-8859-1'de'%C4rger.zip
Content-Transfer-Encoding: base64
Content-Disposition: attachment

UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==
--rfc2231
Content-Type: application/octet-stream; name="=?utf-8?Q?=C3=9Cbersicht=2Exlsx?="
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="=?utf-8?Q?=C3=9Cbersicht=2Exlsx?="

bGFi
--rfc2231--
"""
)
