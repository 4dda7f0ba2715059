"""What a wheel or an sdist has to bring, looked at where it is installed: ``python tests/check_installed.py``."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import subprocess
import sys
from pathlib import Path

import scpareto as sp

REPOSITORY = Path(__file__).parents[1]
STATIC = ("explorer.js", "explorer.css", "THIRD_PARTY_LICENSES.txt")


def main() -> None:
    place = Path(sp.__file__).parent
    assert REPOSITORY / "src" not in place.parents, f"{place} is the repository, not what was installed"
    for name in sp.__all__:
        room = getattr(sp, name)
        for inner in getattr(room, "__all__", ()):
            assert getattr(room, inner) is not None, f"{name}.{inner}"
    static = importlib.resources.files("scpareto.pl._explorer") / "static"
    for name in STATIC:
        assert static.joinpath(name).is_file(), f"{name} is missing"
    assert (place / "py.typed").is_file()
    told = subprocess.run(
        [sys.executable, "-m", "scpareto.cli", "--version"], capture_output=True, text=True, check=True
    )
    version = importlib.metadata.version("scpareto")
    assert told.stdout.split() == ["scpareto", version]
    print(f"scpareto {version} in {place} is whole")


if __name__ == "__main__":
    main()
