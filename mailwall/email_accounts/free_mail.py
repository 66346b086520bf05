"""Domains where anybody gets an address: they say nothing about whom somebody works for. Pure."""

# ruff: noqa: SIM905 - a list of words reads better as words
from __future__ import annotations

FREE_MAIL_DOMAINS = frozenset(
    "gmail.com googlemail.com outlook.com hotmail.com live.com msn.com passport.com outlook.de outlook.fr "
    "outlook.pl outlook.es outlook.it hotmail.de hotmail.fr hotmail.it hotmail.es hotmail.co.uk live.de live.fr "
    "live.nl live.co.uk icloud.com me.com mac.com yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es "
    "yahoo.pl yahoo.ca yahoo.com.br yahoo.co.in yahoo.co.jp ymail.com rocketmail.com aol.com aol.de aol.co.uk "
    "aim.com fastmail.com fastmail.fm fastmail.net gmx.net gmx.de gmx.at gmx.ch gmx.com gmx.us gmx.fr gmx.co.uk "
    "mail.com email.com usa.com web.de t-online.de magenta.de freenet.de posteo.de posteo.net posteo.org "
    "mailbox.org arcor.de vodafone.de online.de kabelmail.de zoho.com zohomail.com zohomail.eu yandex.com yandex.ru "
    "ya.ru mail.ru inbox.ru list.ru bk.ru rambler.ru wp.pl o2.pl go2.pl tlen.pl onet.pl onet.eu poczta.onet.pl "
    "vp.pl op.pl autograf.pl buziaczek.pl onet.com.pl interia.pl interia.eu interia.com poczta.fm intmail.pl "
    "gazeta.pl op.eu neostrada.pl spoko.pl seznam.cz email.cz post.cz centrum.cz atlas.cz volny.cz azet.sk "
    "zoznam.sk centrum.sk orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr libero.it iol.it "
    "virgilio.it alice.it tiscali.it tin.it hotmail.be skynet.be telenet.be ziggo.nl kpnmail.nl planet.nl home.nl "
    "bluewin.ch hispeed.ch sunrise.ch ukr.net i.ua meta.ua comcast.net verizon.net att.net sbcglobal.net "
    "bellsouth.net cox.net charter.net btinternet.com sky.com virginmedia.com talktalk.net ntlworld.com qq.com "
    "163.com 126.com sina.com foxmail.com naver.com daum.net hanmail.net rediffmail.com uol.com.br bol.com.br "
    "terra.com.br proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.com tuta.io "
    "tutamail.com hushmail.com runbox.com hey.com freemail.hu citromail.hu abv.bg telia.com telenor.dk mail.ee "
    "inbox.lv inbox.lt".split()
)


def is_free_mail(domain: str) -> bool:
    """Whether anybody gets an address at this domain (lower case, as normal addresses have it)."""
    return domain in FREE_MAIL_DOMAINS


def domain_of(address: str) -> str:
    """The domain of a normal address; '' when it has none."""
    return address.rpartition("@")[2] if "@" in address else ""
