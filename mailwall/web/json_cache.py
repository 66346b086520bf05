"""How values stand in Redis: as JSON. Django's own way is pickle, by which whoever writes to Redis runs code here."""

from __future__ import annotations

import json
from typing import Any


class JsonSerializer:
    """What the cache holds are counters and lists of moments."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, raw: bytes) -> Any:
        return json.loads(raw)
