"""Polish pages need the compiled catalogues, before Django first reads them."""

from __future__ import annotations

from mailwall.web.catalogues import compile_catalogues

compile_catalogues()
