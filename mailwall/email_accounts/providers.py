"""Mail providers known by the domain of the address: their servers, and what to know before the first failure. Pure.

Offline on purpose: typing an address must not tell anybody about it. Sources: the providers' own help pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Hint(StrEnum):
    """What the form says beside the password."""

    NONE = ""
    APP_PASSWORD = "app_password"  # noqa: S105 -- a hint, no secret
    OAUTH_ONLY = "oauth_only"
    BRIDGE = "bridge"
    SWITCH_ON = "switch_on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    host: str
    port: int
    security: str = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """name: as people know it. imap, smtp: its servers. help_url: where its passwords and switches are explained."""

    name: str
    imap: Server
    smtp: Server
    hint: Hint = Hint.NONE
    help_url: str = ""


def find_provider(address: str) -> Provider | None:
    """The provider of the address's domain, or None when it is not in the table."""
    return _BY_DOMAIN.get(address.rpartition("@")[2].strip().rstrip(".").lower())


def wants_app_password(host: str) -> bool:
    """Whether the IMAP or SMTP host is one of a provider that refuses the normal password."""
    return host.strip().rstrip(".").lower() in _APP_PASSWORD_HOSTS


def guess_servers(address: str) -> tuple[Server, Server]:
    """The usual names for a domain that is not in the table: imap. and smtp. of the domain itself."""
    domain = address.rpartition("@")[2].strip().rstrip(".").lower()
    return Server(host=f"imap.{domain}", port=993), Server(host=f"smtp.{domain}", port=465)


def _provider(
    name: str,
    imap: str,
    smtp: str,
    hint: Hint = Hint.NONE,
    *,
    smtp_port: int = 465,
    help_url: str = "",
) -> Provider:
    security = "tls" if smtp_port == 465 else "starttls"
    return Provider(
        name=name,
        imap=Server(host=imap, port=993),
        smtp=Server(host=smtp, port=smtp_port, security=security),
        hint=hint,
        help_url=help_url,
    )


_PROTON = Provider(
    name="Proton Mail (Bridge)",
    imap=Server(host="127.0.0.1", port=1143, security="starttls"),
    smtp=Server(host="127.0.0.1", port=1025, security="starttls"),
    hint=Hint.BRIDGE,
    help_url="https://proton.me/mail/bridge",
)
_GMAIL = _provider(
    "Gmail", "imap.gmail.com", "smtp.gmail.com", Hint.APP_PASSWORD, help_url="https://myaccount.google.com/apppasswords"
)
_MICROSOFT = _provider("Outlook.com", "outlook.office365.com", "smtp-mail.outlook.com", Hint.OAUTH_ONLY, smtp_port=587)
_MICROSOFT_365 = _provider(
    "Microsoft 365", "outlook.office365.com", "smtp.office365.com", Hint.OAUTH_ONLY, smtp_port=587
)
_ICLOUD = _provider(
    "iCloud",
    "imap.mail.me.com",
    "smtp.mail.me.com",
    Hint.APP_PASSWORD,
    smtp_port=587,
    help_url="https://account.apple.com",
)
_YAHOO = _provider(
    "Yahoo",
    "imap.mail.yahoo.com",
    "smtp.mail.yahoo.com",
    Hint.APP_PASSWORD,
    help_url="https://login.yahoo.com/account/security",
)
_AOL = _provider("AOL", "imap.aol.com", "smtp.aol.com", Hint.APP_PASSWORD)
_FASTMAIL = _provider(
    "Fastmail",
    "imap.fastmail.com",
    "smtp.fastmail.com",
    Hint.APP_PASSWORD,
    help_url="https://app.fastmail.com/settings/security",
)
_GMX = _provider("GMX", "imap.gmx.net", "mail.gmx.net", Hint.SWITCH_ON, smtp_port=587)
_GMX_COM = _provider("GMX", "imap.gmx.com", "mail.gmx.com", Hint.SWITCH_ON, smtp_port=587)
_MAIL_COM = _provider("mail.com", "imap.mail.com", "smtp.mail.com", Hint.SWITCH_ON, smtp_port=587)
_WEB_DE = _provider("WEB.DE", "imap.web.de", "smtp.web.de", Hint.SWITCH_ON, smtp_port=587)
_T_ONLINE = _provider("T-Online", "secureimap.t-online.de", "securesmtp.t-online.de", Hint.APP_PASSWORD)
_FREENET = _provider("freenet", "mx.freenet.de", "mx.freenet.de", smtp_port=587)
_POSTEO = _provider("Posteo", "posteo.de", "posteo.de")
_MAILBOX_ORG = _provider("mailbox.org", "imap.mailbox.org", "smtp.mailbox.org")
_ZOHO = _provider(
    "Zoho Mail", "imap.zoho.com", "smtp.zoho.com", Hint.APP_PASSWORD, help_url="https://accounts.zoho.com"
)
_ZOHO_EU = _provider(
    "Zoho Mail", "imap.zoho.eu", "smtp.zoho.eu", Hint.APP_PASSWORD, help_url="https://accounts.zoho.eu"
)
_YANDEX = _provider("Yandex", "imap.yandex.com", "smtp.yandex.com", Hint.APP_PASSWORD)
_WP = _provider("Wirtualna Polska", "imap.wp.pl", "smtp.wp.pl", Hint.SWITCH_ON)
_O2 = _provider("o2", "poczta.o2.pl", "poczta.o2.pl", Hint.SWITCH_ON)
_TLEN = _provider("Tlen.pl", "poczta.o2.pl", "poczta.o2.pl", Hint.SWITCH_ON)
_ONET = _provider("Onet Poczta", "imap.poczta.onet.pl", "smtp.poczta.onet.pl", Hint.SWITCH_ON)
_INTERIA = _provider("Interia", "poczta.interia.pl", "poczta.interia.pl", Hint.SWITCH_ON)
_GAZETA = _provider("Gazeta.pl", "imap.gazeta.pl", "smtp.gazeta.pl", Hint.SWITCH_ON)
_HOME = _provider("home.pl", "poczta.home.pl", "poczta.home.pl", Hint.SWITCH_ON)
_NAZWA = _provider("nazwa.pl", "imap.nazwa.pl", "smtp.nazwa.pl")
_OVH = _provider("OVH", "ssl0.ovh.net", "ssl0.ovh.net")
_SEZNAM = _provider("Seznam", "imap.seznam.cz", "smtp.seznam.cz", Hint.SWITCH_ON)
_CENTRUM = _provider("Centrum.cz", "imap.centrum.cz", "smtp.centrum.cz")
_AZET = _provider("Azet", "imap.azet.sk", "smtp.azet.sk")
_ORANGE_FR = _provider("Orange", "imap.orange.fr", "smtp.orange.fr")
_FREE_FR = _provider("Free", "imap.free.fr", "smtp.free.fr")
_LAPOSTE = _provider("La Poste", "imap.laposte.net", "smtp.laposte.net", Hint.SWITCH_ON)
_SFR = _provider("SFR", "imap.sfr.fr", "smtp.sfr.fr")
_LIBERO = _provider("Libero", "imapmail.libero.it", "smtp.libero.it", Hint.APP_PASSWORD)
_ARUBA = _provider("Aruba", "imaps.aruba.it", "smtps.aruba.it")
_TISCALI = _provider("Tiscali", "imap.tiscali.it", "smtp.tiscali.it")
_BLUEWIN = _provider("Bluewin", "imaps.bluewin.ch", "smtpauths.bluewin.ch")
_MAIL_RU = _provider("Mail.ru", "imap.mail.ru", "smtp.mail.ru", Hint.APP_PASSWORD)
_UKR_NET = _provider("UKR.NET", "imap.ukr.net", "smtp.ukr.net", Hint.SWITCH_ON)
_RUNBOX = _provider("Runbox", "mail.runbox.com", "mail.runbox.com")
_MIGADU = _provider("Migadu", "imap.migadu.com", "smtp.migadu.com")
_COMCAST = _provider("Xfinity", "imap.comcast.net", "smtp.comcast.net", Hint.SWITCH_ON)
_QQ = _provider("QQ Mail", "imap.qq.com", "smtp.qq.com", Hint.APP_PASSWORD)
_NAVER = _provider("Naver", "imap.naver.com", "smtp.naver.com", Hint.SWITCH_ON)

_DOMAINS: dict[str, Provider] = {
    "gmail.com googlemail.com": _GMAIL,
    "outlook.com hotmail.com live.com msn.com outlook.de outlook.fr hotmail.fr hotmail.de hotmail.co.uk live.co.uk "
    "outlook.pl": _MICROSOFT,
    "onmicrosoft.com office365.com": _MICROSOFT_365,
    "icloud.com me.com mac.com": _ICLOUD,
    "yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it yahoo.es yahoo.pl ymail.com rocketmail.com": _YAHOO,
    "aol.com aim.com aol.de aol.co.uk": _AOL,
    "fastmail.com fastmail.fm fastmail.net fastmail.org": _FASTMAIL,
    "gmx.net gmx.de gmx.at gmx.ch": _GMX,
    "gmx.com gmx.us gmx.co.uk gmx.fr": _GMX_COM,
    "mail.com email.com usa.com": _MAIL_COM,
    "web.de": _WEB_DE,
    "t-online.de magenta.de": _T_ONLINE,
    "freenet.de": _FREENET,
    "posteo.de posteo.net posteo.org": _POSTEO,
    "mailbox.org": _MAILBOX_ORG,
    "zoho.com zohomail.com": _ZOHO,
    "zoho.eu zohomail.eu": _ZOHO_EU,
    "yandex.com yandex.ru ya.ru": _YANDEX,
    "wp.pl": _WP,
    "o2.pl go2.pl": _O2,
    "tlen.pl": _TLEN,
    "onet.pl onet.eu poczta.onet.pl vp.pl op.pl autograf.pl buziaczek.pl onet.com.pl": _ONET,
    "interia.pl interia.eu interia.com poczta.fm intmail.pl": _INTERIA,
    "gazeta.pl": _GAZETA,
    "home.pl": _HOME,
    "nazwa.pl": _NAZWA,
    "ovh.net ovh.com": _OVH,
    "seznam.cz email.cz post.cz": _SEZNAM,
    "centrum.cz centrum.sk atlas.cz": _CENTRUM,
    "azet.sk": _AZET,
    "orange.fr wanadoo.fr": _ORANGE_FR,
    "free.fr": _FREE_FR,
    "laposte.net": _LAPOSTE,
    "sfr.fr neuf.fr": _SFR,
    "libero.it iol.it": _LIBERO,
    "aruba.it": _ARUBA,
    "tiscali.it": _TISCALI,
    "bluewin.ch": _BLUEWIN,
    "mail.ru inbox.ru list.ru bk.ru": _MAIL_RU,
    "ukr.net": _UKR_NET,
    "runbox.com": _RUNBOX,
    "migadu.com": _MIGADU,
    "comcast.net": _COMCAST,
    "qq.com": _QQ,
    "naver.com": _NAVER,
    "proton.me protonmail.com protonmail.ch pm.me": _PROTON,
}
_BY_DOMAIN = {domain: provider for domains, provider in _DOMAINS.items() for domain in domains.split()}
_APP_PASSWORD_HOSTS = frozenset(
    server.host
    for provider in _BY_DOMAIN.values()
    if provider.hint is Hint.APP_PASSWORD
    for server in (provider.imap, provider.smtp)
)
