"""A download as an HTTP answer: always saved, never shown, and never taken for something else (RFC 6266, RFC 8187)."""

from __future__ import annotations

from urllib.parse import quote

from django.http import StreamingHttpResponse

from mailwall.sync.attachments import Download


def file_response(download: Download) -> StreamingHttpResponse:
    """Stream the file. No length is told: it is known only at the end, and a cut transfer then cannot look whole."""
    response = StreamingHttpResponse(download.chunks, content_type=_harmless(download.content_type))
    plain = download.filename.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    response["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(download.filename)}"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


def _harmless(content_type: str) -> str:
    """The type, unless a browser could run it or it is no type at all."""
    kind, _, subtype = content_type.partition("/")
    active = kind in ("text", "multipart", "message") or "xml" in subtype or "script" in subtype or "html" in subtype
    is_token = content_type.isascii() and all(char.isalnum() or char in "/+.-_" for char in content_type)
    return content_type if subtype and is_token and not active else "application/octet-stream"
