"""What of a mail was quoted from earlier ones. For display only: the whole text is stored.

Nothing new may be hidden: when in doubt, when a quote is all there is, or when it was forwarded, nothing is folded.
Marks of Gmail, Outlook, Apple Mail, Thunderbird, Yahoo and Proton; opening lines in a dozen languages.
"""

from __future__ import annotations

import re
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_TEXT_LENGTH = 2_000_000

_HEADER_WORDS = (
    "From|Von|De|Od|Da|Van|Från|Fra|Lähettäjä|От|Від|Feladó|Odesílatel|Gönderen|差出人|发件人|寄件者|보낸 사람"
)
_SENT_WORDS = (
    "Sent|Date|Gesendet|Datum|Envoyé|Envoyé le|Enviado|Enviada em|Fecha|Data|Wysłano|Wysłane|Inviato|Verzonden|"
    "Skickat|Sendt|Dato|"
    "Отправлено|Дата|Надіслано|Küldve|Elküldve|Odesláno|Gönderildi|Lähetetty|送信日時|发送时间|日期|보낸 날짜"
)
# "On … wrote:" and its kin, on one line or (wrapped by the mailer) on up to three.
_ATTRIBUTION = re.compile(
    r"^[ \t]*(?:"
    r"On\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\bwrote|"
    r"(?:W dniu|Dnia|Dn\.|W dn\.)\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\b(?:pisze|napisał(?:\(a\)|a|/a|\(-a\))?|"
    r"użytkownik[^\n]{0,200} napisał(?:\(a\)|a)?)|"
    r"[^\n>]{3,200}? napisał(?:\(a\)|a|/a)?(?: w dniu[^\n]{3,100})?|"
    r"(?:pon|wt|śr|czw|pt|sob|niedz|ndz)\.,[^\n]{5,200}(?:\n[^\n]{0,200}){0,1}?napisał(?:\(a\)|a)?|"
    r"Am\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\bschrieb(?:\b[^\n:]{0,200})?|"
    r"Le\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\ba écrit\s?|"
    r"El\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\bescribió|"
    r"Il\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\bha scritto|"
    r"Em\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\bescreveu|"
    r"Op\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\b(?:schreef|het volgende geschreven)\b[^\n:]{0,200}|"
    r"(?:Den|På)\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\b(?:skrev|skrev følgende)(?:\b[^\n:]{0,200})?|"
    r"Dne\b[^\n]{3,300}?(?:\n[^\n]{0,200}){0,2}?\bnapsal(?:\(a\)|a)?|"
    r"\d{1,2}[^\n]{5,200}(?:пишет|написал(?:\(а\)|а)?|пише)|"
    r"\d{4}[年/-][^\n]{5,200}(?:のメール|写道|작성)"
    r")[ \t]*:[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"^[ \t]*-{2,}\s*(?:Original Message|Original Appointment|Ursprüngliche Nachricht|Originalnachricht|Message "
    r"d'origine|Mensaje original|"
    r"Wiadomość oryginalna|Oryginalna wiadomość|Messaggio originale|Mensagem original|Oorspronkelijk bericht|"
    r"Původní zpráva|Исходное сообщение|Eredeti üzenet)\s*-{2,}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_HEADER_BLOCK = re.compile(
    rf"^[ \t]*\*?(?:{_HEADER_WORDS})\s?:\*?[ \t][^\n]{{1,300}}\n(?:[^\n]{{0,300}}\n){{0,2}}?[ "
    rf"\t]*\*?(?:{_SENT_WORDS})\s?:\*?[ \t][^\n]{{1,200}}\n"
    r"(?:[ \t]*\*?[^\s:][^:\n]{0,25}:\*?[ \t]?[^\n]*\n?){1,4}",
    re.MULTILINE,
)
_FORWARDED = re.compile(
    r"(forwarded message|begin forwarded|weitergeleitete|przekaz(?:ana|anej|ywana|ywanej) wiadomoś|wiadomość "
    r"przekazana|message transféré|"
    r"mensaje reenviado|messaggio inoltrato|doorgestuurd bericht|mensagem encaminhada|přeposlaná|пересылаемое|"
    r"переслан)",
    re.IGNORECASE,
)


def split_quoted(text: str) -> tuple[str, str]:
    """(visible, quoted): the quoted end of a plain text mail split off; quoted is '' when there is none or in doubt.

    visible + quoted is the text. Answers between the quoted lines, and text after them, keep everything visible.
    """
    if len(text) > MAX_TEXT_LENGTH:
        return text, ""
    start = _quote_start(text)
    if start is None or not text[:start].strip() or _FORWARDED.search(text[max(0, start - 300) : start + 200]):
        return text, ""
    return text[:start], text[start:]


def _quote_start(text: str) -> int | None:
    """Where the quoted end begins, with its opening line."""
    candidates = []
    marked = _trailing_marks(text)
    if marked is not None:
        opening = _opening_before(text, marked)
        candidates.append(marked if opening is None else opening)
    for pattern in (_ORIGINAL, _HEADER_BLOCK):
        match = pattern.search(text)
        if match is not None:
            candidates.append(match.start())
    return min(candidates, default=None)


def _trailing_marks(text: str) -> int | None:
    """Start of the last run of '>' lines if nothing but blank lines follows it, else None."""
    start: int | None = None
    position = len(text)
    for line in reversed(text.split("\n")):
        position -= len(line)
        if line.startswith(">") or (line[:1] == " " and line.lstrip().startswith(">")):
            start = position
        elif line.strip():
            break
        position -= 1
    return start


def _opening_before(text: str, start: int) -> int | None:
    """Start of an "On … wrote:" that stands right before `start`."""
    window = max(0, start - 900)
    last = None
    for match in _ATTRIBUTION.finditer(text, window, start):
        last = match
    if last is None or text[last.end() : start].strip():
        return None
    return last.start()


# --- HTML ------------------------------------------------------------------------------------------------------------

_HINTS = re.compile(
    r"gmail_quote|divRplyFwdMsg|appendonsend|type=[\"']?cite|moz-cite-prefix|yahoo_quoted|protonmail_quote|"
    r"border-top\s*:|<blockquote|"
    r"OLK_SRC_BODY_SECTION|zmail_extra|ms-outlook-mobile-reference-message",
    re.IGNORECASE,
)
_CONTAINERS = ".yahoo_quoted, .protonmail_quote, .zmail_extra, #OLK_SRC_BODY_SECTION"
_OUTLOOK_STARTS = "#divRplyFwdMsg, #appendonsend, .ms-outlook-mobile-reference-message"
_SEPARATOR_STYLE = re.compile(r"border\s*:\s*none\s*;\s*border-top\s*:\s*solid", re.IGNORECASE)
_HEADER_LINE = re.compile(rf"^\s*(?:{_HEADER_WORDS})\s?:.{{1,400}}?(?:{_SENT_WORDS})\s?:", re.DOTALL)
_BEFORE_QUOTE = re.compile(r"(gmail_attr|moz-cite-prefix)")
MAX_QUOTES = 200
MAX_RULES = 20


def mark_quotes(source: str, marker: str) -> str:
    """The HTML with quoted parts wrapped in <marker> elements; '' when there is nothing to fold, or in doubt."""
    if not _HINTS.search(source):
        return ""
    tree = LexborHTMLParser(source)
    body = tree.body
    if body is None:
        return ""
    spans = _outlook_spans(tree) or _quote_spans(tree)
    for span in spans:
        _wrap(tree, span, marker)
    wrapped = body.css(marker)
    if not wrapped or not _has_news(body, marker):
        return ""
    return body.html or ""


def _quote_spans(tree: LexborHTMLParser) -> list[list[LexborNode]]:
    """Runs of sibling nodes, each run one quote, outermost only."""
    spans: list[list[LexborNode]] = []
    taken: set[int] = set()
    for node in islice(tree.css(f"{_CONTAINERS}, blockquote"), MAX_QUOTES):
        if _inside(node, taken) or (node.tag == "blockquote" and not _is_cited(node)):
            continue
        taken.add(node.mem_id)
        opening = _opening_nodes(node)
        about = " ".join(_text(part) for part in opening) + " " + _text(node)[:300]
        if not _FORWARDED.search(about) and not _follows_forward_mark(node):
            spans.append([*opening, node])
    return spans


def _is_cited(node: LexborNode) -> bool:
    """A blockquote made by a mail program; people use bare ones to indent or to cite books."""
    attributes = node.attributes
    if (attributes.get("type") or "").lower() == "cite" or "gmail_quote" in (attributes.get("class") or ""):
        return "webkit-indent-blockquote" not in (attributes.get("class") or "")
    return bool(_opening_nodes(node))


def _opening_nodes(node: LexborNode) -> list[LexborNode]:
    """The "On … wrote:" right before a quote: an element of its own, or a run of text and line breaks."""
    run: list[LexborNode] = []
    previous = node.prev
    while previous is not None and len(run) < 6:
        run.insert(0, previous)
        text = "".join(_text(part) for part in run).strip()
        is_block = previous.is_element_node and previous.tag in ("div", "p")
        if text and (_BEFORE_QUOTE.search(_class_of(previous)) or _ATTRIBUTION.fullmatch(_one_line(text))):
            return run
        if len(text) > 400 or (is_block and text):
            break
        previous = previous.prev
    return []


def _follows_forward_mark(node: LexborNode) -> bool:
    before = node.prev
    for _ in range(3):
        if before is None:
            return False
        if _FORWARDED.search(_text(before)[-300:]):
            return True
        before = before.prev
    return False


def _outlook_spans(tree: LexborHTMLParser) -> list[list[LexborNode]]:
    """Outlook quotes everything from its header block to the end of the mail."""
    start = tree.css_first(_OUTLOOK_STARTS) or _separator(tree)
    if start is None or not _HEADER_LINE.search(_text_from(start)):
        return []
    previous = start.prev
    while previous is not None and (previous.tag == "hr" or not _text(previous).strip()):
        start = previous
        previous = start.prev
        if start.tag == "hr":
            break
    run = [start]
    while (following := run[-1].next) is not None:
        run.append(following)
    if _FORWARDED.search(_text(run[0])[:300]) or _news_after(start):
        return []
    return [run]


def _separator(tree: LexborHTMLParser) -> LexborNode | None:
    """Word's header block: a line above From:, Sent:, To:, Subject:. Gives the node whose siblings are the quote."""
    ruled = (node for node in tree.css("div[style]") if _SEPARATOR_STYLE.search(node.attributes.get("style") or ""))
    for node in islice(ruled, MAX_RULES):
        if not _HEADER_LINE.search(_text(node)[:600]):
            continue
        parent = node.parent
        lone = parent is not None and parent.tag == "div" and _text(parent).strip() == _text(node).strip()
        return parent if lone else node
    return None


def _news_after(start: LexborNode) -> bool:
    """Whether text follows outside the parent of the header block: then we do not know where the quote ends."""
    parent = start.parent
    while parent is not None and parent.tag not in ("body", "html"):
        following = parent.next
        while following is not None:
            if _text(following).strip():
                return True
            following = following.next
        parent = parent.parent
    return False


def _wrap(tree: LexborHTMLParser, span: list[LexborNode], marker: str) -> None:
    parent = span[0].parent
    if parent is None or parent.tag in ("table", "tbody", "tr", "ul", "ol", "html"):
        return
    span[0].insert_before(tree.create_node(marker))
    wrapper = span[0].prev
    if wrapper is None or wrapper.tag != marker:
        return
    for node in span:
        wrapper.insert_child(node, move=True)


def _has_news(body: LexborNode, marker: str) -> bool:
    """Whether anything readable or an image stays outside the wrapped parts."""
    node: LexborNode | None = body
    while node is not None:
        if node.tag == "img" or (node.is_text_node and _text(node).strip()):
            return True
        skipped = node.tag in (marker, "style", "script", "title")
        step = None if skipped else node.child
        while step is None and node is not None and node.mem_id != body.mem_id:
            step = node.next
            if step is None:
                node = node.parent
        node = step
    return False


def _inside(node: LexborNode, taken: set[int]) -> bool:
    above = node.parent
    while above is not None:
        if above.mem_id in taken:
            return True
        above = above.parent
    return False


def _text(node: LexborNode) -> str:
    return node.text(deep=True) or "" if not node.is_text_node else node.text_content or ""


def _text_from(start: LexborNode) -> str:
    text = ""
    node: LexborNode | None = start
    while node is not None and len(text) < 600:
        text += " " + _text(node)[:600]
        node = node.next
    return text


def _class_of(node: LexborNode) -> str:
    return (node.attributes.get("class") or "") if node.is_element_node else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
