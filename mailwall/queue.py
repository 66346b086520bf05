"""The two queues. They only wake workers up: the truth is in the database (docs/adr/0002), a lost message is no loss.

`fast`: what a person waits for (manual download, sending). `bulk`: all else (periodic synchronisation, reviews).
Tasks take ids and make one service call; a row written before says what is to be done.
"""

from __future__ import annotations

import threading

from django.conf import settings
from huey import Huey, PriorityRedisHuey, SqliteHuey
from huey.serializer import SignedSerializer
from redis import ConnectionPool


def _make(name: str) -> Huey:
    serializer = SignedSerializer(secret=settings.SECRET_KEY, salt=f"mailwall.{name}")
    options = {"results": False, "store_none": False, "utc": True, "serializer": serializer}
    if settings.REDIS_URL:
        # a network that swallows packets must not hold the tick
        pool = ConnectionPool.from_url(settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=5)
        return PriorityRedisHuey(f"mailwall-{name}", connection_pool=pool, **options)
    path = settings.DATA_DIR / f"queue-{name}.sqlite3"
    return SqliteHuey(f"mailwall-{name}", filename=str(path), fsync=False, timeout=20, **options)


fast = _make("fast")
bulk = _make("bulk")

#: set when this process is asked to end: long tasks look at it between batches and give back what they hold
stopping = threading.Event()
