"""
Providers where anybody gets a mailbox at once and for nothing.

An intruder's drop box is most often there, and so is an employee's private one. The table holds the large providers
that the traffic of most organisations meets, and the encrypted and disposable ones that those who hide prefer. It is
kept short on purpose: it raises a severity and decides nothing, so what is missing from it is told all the same.
"""

from __future__ import annotations

FREE_MAIL = frozenset(
    """
    gmail.com googlemail.com
    outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr outlook.de outlook.fr live.fr live.co.uk
    yahoo.com yahoo.co.uk yahoo.co.jp yahoo.co.in yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.com.br ymail.com aol.com
    icloud.com me.com mac.com
    gmx.de gmx.net gmx.com gmx.at gmx.ch web.de freenet.de t-online.de mail.com email.com
    orange.fr free.fr laposte.net libero.it virgilio.it wp.pl o2.pl onet.pl interia.pl seznam.cz
    mail.ru bk.ru inbox.ru list.ru internet.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net
    qq.com 163.com 126.com sina.com sohu.com foxmail.com naver.com daum.net hanmail.net rediffmail.com
    uol.com.br bol.com.br terra.com.br
    proton.me protonmail.com pm.me tutanota.com tuta.io tuta.com tutamail.com keemail.me
    cock.li airmail.cc disroot.org riseup.net mailfence.com zohomail.com zoho.com
    mailinator.com guerrillamail.com sharklasers.com 10minutemail.com temp-mail.org yopmail.com
    """.split()
)


def domain_of(address: str) -> str:
    """What stands behind the last at sign, in lower case and without a final dot; all of it where there is none."""
    return address.rpartition("@")[2].lower().rstrip(".")


def is_free_mail(address_or_domain: str) -> bool:
    """True if the domain is one of the table's; domains below one are somebody else's."""
    return domain_of(address_or_domain) in FREE_MAIL
