"""LIST answers → FolderInfo: roles by SPECIAL-USE (RFC 6154) or by known names, names from modified UTF-7.

Modified UTF-7: RFC 3501 §5.1.3.
"""

from __future__ import annotations

import binascii
import dataclasses
import re
import unicodedata
from collections.abc import Sequence

from mailwall.imap import reader
from mailwall.imap.reader import Response, Token
from mailwall.imap.types import FolderInfo, FolderStatus

_ROLE_BY_FLAG = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\spam": "junk",  # XLIST
    "\\archive": "archive",
    "\\all": "all",
    "\\allmail": "all",
    "\\flagged": "flagged",
    "\\starred": "flagged",
    "\\inbox": "inbox",
}

# en pl de fr es it pt nl cs sk ru uk sv tr ja zh hu da no fi ro el; as Gmail, Outlook, Apple, Onet … spell them
_NAMES: dict[str, str] = {
    "sent": "sent|sent items|sent mail|sent messages|sent-mail|outbox sent|wysłane|elementy wysłane|wysłana poczta|"
    "poczta wysłana|wiadomości wysłane|wyslane|gesendet|gesendete elemente|gesendete objekte|gesendete nachrichten|"
    "envoyés|éléments envoyés|messages envoyés|courrier envoyé|envoyes|objets envoyés|enviados|elementos enviados|"
    "mensajes enviados|correo enviado|enviadas|itens enviados|mensagens enviadas|e-mails enviados|correio enviado|"
    "inviati|posta inviata|elementi inviati|messaggi inviati|inviata|verzonden|verzonden items|verzonden berichten|"
    "odeslané|odeslaná pošta|odeslaná|odeslané zprávy|odoslané|odoslaná pošta|отправленные|отправлено|"
    "отправленные письма|исходящие|надіслані|відправлені|надіслані листи|skickat|skickade|skickade objekt|"
    "skickade meddelanden|gönderilmiş öğeler|gönderilenler|gönderilmiş postalar|gönderilmiş|gönderilen postalar|"
    "送信済み|送信済みアイテム|送信済みメール|送信済みメッセージ|送信箱|已发送|已发送邮件|已发送郵件|已傳送|"
    "寄件備份|已发送消息|寄件匣備份|elküldött|elküldött elemek|elküldött üzenetek|elküldött levelek|sendt|sendte|"
    "sendt post|sendte elementer|sendte beskeder|sendte meldinger|sendt e-post|lähetetyt|lähetetyt viestit|"
    "trimise|elemente trimise|mesaje trimise|απεσταλμένα|sända",
    "drafts": "drafts|draft|szkice|wersje robocze|kopie robocze|robocze|entwürfe|brouillons|borradores|bozze|"
    "rascunhos|concepten|koncepty|rozepsané|черновики|чернетки|utkast|taslaklar|下書き|草稿|草稿箱|草稿匣|piszkozatok|"
    "kladder|luonnokset|schițe|ciorne|πρόχειρα",
    "trash": "trash|deleted|deleted items|deleted messages|bin|wastebasket|kosz|elementy usunięte|usunięte|papierkorb|"
    "gelöscht|gelöschte elemente|gelöschte objekte|corbeille|éléments supprimés|messages supprimés|papelera|"
    "elementos eliminados|eliminados|cestino|posta eliminata|elementi eliminati|lixo|lixeira|itens excluídos|"
    "itens eliminados|prullenbak|verwijderde items|koš|odstraněná pošta|odstraněné|kôš|корзина|удаленные|удалённые|"
    "кошик|видалені|papperskorg|papperskorgen|borttagna objekt|borttaget|çöp kutusu|çöp|silinmiş öğeler|ごみ箱|"
    "ゴミ箱|削除済みアイテム|已删除|已删除邮件|垃圾桶|刪除的郵件|kuka|lomtár|törölt elemek|papirkurv|slettet post|"
    "slettede elementer|søppel|roskakori|poistetut|coș de gunoi|κάδος απορριμμάτων",
    "junk": "junk|junk e-mail|junk email|junk mail|spam|bulk mail|wiadomości-śmieci|śmieci|niechciane|spam-verdacht|"
    "junk-e-mail|unerwünscht|werbung|courrier indésirable|indésirables|pourriel|correo no deseado|no deseado|"
    "posta indesiderata|indesiderata|lixo eletrônico|lixo eletrónico|ongewenste e-mail|ongewenst|ongewenste mail|"
    "nevyžádaná pošta|nevyžádané|нежелательная почта|спам|небажана пошта|skräppost|istenmeyen|önemsiz e-posta|"
    "gereksiz|迷惑メール|迷惑メッセージ|垃圾邮件|垃圾郵件|levélszemét|uønsket e-mail|uønsket mail|uønsket post|"
    "søppelpost|roskaposti|nevyžiadaná pošta",
    "archive": "archive|archives|archiwum|archiv|archivés|archivo|archivio|arquivo|arquivo morto|archief|архив|архів|"
    "arkiv|arşiv|アーカイブ|存档|归档|封存|archívum|arkisto|arkivera",
    "all": "all mail|wszystkie|alle nachrichten|tous les messages|todos|tutti i messaggi|todos os e-mails|alle e-mails|"
    "všechny zprávy|вся почта|уся пошта|alla mail|alla mejl|tüm postalar|すべてのメール|所有邮件|összes levél|"
    "alle e-mailer|all e-post|kaikki viestit",
}
_ROLE_BY_NAME = {name: role for role, names in _NAMES.items() for name in names.split("|")}

_LIST = re.compile(rb"\* (?:LIST|XLIST) ", re.IGNORECASE)
_STATUS = re.compile(rb"\* STATUS ", re.IGNORECASE)


def folder_info(response: Response) -> FolderInfo | None:
    """One line of LIST, None when it is something else or cannot be read: one odd folder stops no others."""
    found = _LIST.match(response.texts[0])
    if found is None:
        return None
    try:
        parts = reader.tokens((response.texts[0][found.end() :], *response.texts[1:]), response.literals)
    except reader.Unreadable:
        return None
    if len(parts) < 3 or not isinstance(parts[0], list):
        return None
    raw_name = _name(parts[2])
    if not raw_name:
        return None
    delimiter = parts[1].decode("ascii", "replace") if isinstance(parts[1], bytes) else ""
    flags = tuple(flag.decode("ascii", "replace") for flag in parts[0] if isinstance(flag, bytes))
    lowered = {flag.lower() for flag in flags}
    role = next((_ROLE_BY_FLAG[flag] for flag in sorted(lowered) if flag in _ROLE_BY_FLAG), "")
    is_inbox = raw_name.upper() == b"INBOX"
    return FolderInfo(
        raw_name=raw_name,
        name="INBOX" if is_inbox else decode_name(raw_name),
        delimiter=delimiter,
        flags=flags,
        role="inbox" if is_inbox else role,
        role_by="special_use" if is_inbox or role else "",
        selectable=not lowered & {"\\noselect", "\\nonexistent"},
    )


def with_roles_by_name(folders: Sequence[FolderInfo]) -> list[FolderInfo]:
    """Give roles that no flag gave, by known names: at most one folder each, the one nearest to the top.

    INBOX is kept once, whatever its case: all spellings name the same folder (RFC 3501 §5.1).
    """
    kept: dict[bytes, FolderInfo] = {}
    for folder in folders:
        key = b"INBOX" if folder.role == "inbox" else folder.raw_name
        if key not in kept or (folder.raw_name == b"INBOX" and folder.selectable):
            kept[key] = folder
    taken = {folder.role for folder in kept.values() if folder.role}
    by_name: dict[str, bytes] = {}
    for folder in sorted(kept.values(), key=_levels):
        role = role_by_name(folder)
        if role and role not in taken and role not in by_name and folder.selectable and not folder.role:
            by_name[role] = folder.raw_name
    roles = {raw_name: role for role, raw_name in by_name.items()}
    return [
        dataclasses.replace(folder, role=roles[folder.raw_name], role_by="name") if folder.raw_name in roles else folder
        for folder in kept.values()
    ]


def role_by_name(folder: FolderInfo) -> str:
    """The role that a folder's name tells: its own, directly at the top, under INBOX or under [Gmail]."""
    path = folder.name.split(folder.delimiter) if folder.delimiter else [folder.name]
    if len(path) > 1 and path[0].casefold() not in ("inbox", "[gmail]", "[google mail]"):
        return ""
    if len(path) > 2:
        return ""
    return _ROLE_BY_NAME.get(unicodedata.normalize("NFC", path[-1]).casefold().strip(), "")


def status(response: Response) -> tuple[bytes, FolderStatus] | None:
    """One STATUS answer as raw name and FolderStatus (RFC 3501 §7.2.4), None when it is something else."""
    found = _STATUS.match(response.texts[0])
    if found is None:
        return None
    try:
        parts = reader.tokens((response.texts[0][found.end() :], *response.texts[1:]), response.literals)
    except reader.Unreadable:
        return None
    items = parts[-1]
    if len(parts) < 2 or not isinstance(items, list):
        return None
    raw_name = _name(parts[0])
    numbers = {
        name.upper(): int(value)
        for name, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(name, bytes) and isinstance(value, bytes) and value.isdigit()
    }
    if not {b"UIDVALIDITY", b"UIDNEXT", b"MESSAGES"} <= numbers.keys():
        return None
    return raw_name, FolderStatus(
        uidvalidity=numbers[b"UIDVALIDITY"],
        uidnext=numbers[b"UIDNEXT"],
        messages=numbers[b"MESSAGES"],
        highestmodseq=numbers.get(b"HIGHESTMODSEQ") or None,
    )


def decode_name(raw_name: bytes) -> str:
    """A folder's name for people: modified UTF-7, or UTF-8; what is neither is shown as it is."""
    if not raw_name.isascii():
        return raw_name.decode("utf-8", "replace")
    text = raw_name.decode("ascii")
    try:
        return _MUTF7.sub(_shifted, text)
    except (ValueError, binascii.Error):
        return text


_MUTF7 = re.compile(r"&([^-]*)(-|\Z)")


def _shifted(found: re.Match[str]) -> str:
    if not found.group(1):
        return "&"
    base64 = found.group(1).replace(",", "/")
    raw = binascii.a2b_base64(base64 + "=" * (-len(base64) % 4), strict_mode=True)
    return raw.decode("utf-16-be")


def _levels(folder: FolderInfo) -> int:
    return folder.name.count(folder.delimiter) if folder.delimiter else 0


def _name(token: Token) -> bytes:
    """A mailbox name. NIL unquoted is a folder called NIL: astring has no nil."""
    if isinstance(token, bytes):
        return token
    return b"NIL" if token is None else b""
