"""Read by gunicorn (`--config python:…`): how long a request's first line may be.

gunicorn takes 8,190 bytes at most, and its only other choice is no limit at all; a search of 10,000 letters is 60 kB
once it is encoded, and must get an answer in our own form.
"""

from __future__ import annotations

from gunicorn.http import message

limit_request_line = message.MAX_REQUEST_LINE = 128 * 1024
