"""Copy the notebooks of ``tutorials/`` to where Sphinx can read them: it reads nothing outside its own folder.

Run as ``python docs/copy_tutorials.py``; the docs build runs it too.
"""

from __future__ import annotations

from pathlib import Path

# On GitHub a tutorial lies beside docs/, in the built site among its pages.
BESIDE, AMONG = "](../docs/", "](../"


def copy_tutorials(source: Path, target: Path) -> list[Path]:
    """Write every notebook of one folder into another, with links that hold there; remove those that left.

    Parameters
    ----------
    source
        The folder of the tutorials.
    target
        The folder of their pages.

    Returns
    -------
    The notebooks that are there now, by name.
    """
    target.mkdir(parents=True, exist_ok=True)
    texts = {path.name: path.read_text(encoding="utf-8").replace(BESIDE, AMONG) for path in source.glob("*.ipynb")}
    for old in set(target.glob("*.ipynb")) - {target / name for name in texts}:
        old.unlink()
    for name, text in texts.items():
        path = target / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return sorted(target / name for name in texts)


if __name__ == "__main__":
    here = Path(__file__).parent
    for notebook in copy_tutorials(here.parent / "tutorials", here / "tutorials"):
        print(notebook)
