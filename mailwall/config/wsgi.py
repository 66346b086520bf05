"""The WSGI application that gunicorn serves."""

from __future__ import annotations

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")

application = get_wsgi_application()
resolve("/")  # loads all views, which the first visitor would wait for
# what is loaded stays: to look at it all for what can go would stop a request for a tenth of a second now and then
gc.collect()
gc.freeze()
