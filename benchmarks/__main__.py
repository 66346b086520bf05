"""`./bench NAME [options]`: each benchmark is a module here with `main(arguments)`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

NAMES = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if "def main(arguments" in path.read_text(encoding="utf-8")
)


def main() -> None:
    name = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    if name not in NAMES:
        print("Benchmarks:", ", ".join(NAMES))
        sys.exit(0 if not name else 2)
    importlib.import_module(f"benchmarks.{name}").main(sys.argv[2:])


if __name__ == "__main__":
    main()
