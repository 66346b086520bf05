"""For pages on which HTML is written: what the editor needs beyond our usual policy (CSP), and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.http.response import HttpResponseBase

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def editing_page(view: View) -> View:
    """Allow styles in attributes, never in elements; and images of a signature, which may lie on its owner's server."""
    policy: Any = csp_update({"style-src-attr": UNSAFE_INLINE, "img-src": "https:"})
    return cast(View, policy(view))
