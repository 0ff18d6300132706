"""Build the wheel: beside the packages it holds `trivox_files`, with what else a clone has for users.

That is the firmware as source and compiled (in a folder named after its version), the schemas with their examples, and
all pages with their pictures, in the folders that they have in a clone, so that their links hold. Links to what only a
clone has become plain text.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
FOLDERS = ("bridge", "firmware", "schema", "simulator")
WHOLE = ("firmware", "schema")
PAGES = (".md", ".svg", ".png")
LINK = re.compile(r"\[(?P<text>[^]]*)\]\((?P<file>[^)#\s:]+)(?:#[^)]*)?\)")  # to a file, not into the web


def shipped_files() -> Iterator[Path]:
    """Yield the paths of the files that a wheel holds as they are, relative to the root."""
    yield from (Path(name) for name in ("README.md", "CHANGELOG.md", "LICENSE"))
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix not in {".pyc", ".mpy"} and (folder in WHOLE or path.suffix in PAGES):
                yield path.relative_to(ROOT)


def unlink_missing(pages: Path) -> None:
    """Make plain text of the links in a folder of pages that lead to no file there."""
    for page in pages.rglob("*.md"):

        def kept(link: re.Match[str], page: Path = page) -> str:
            return link[0] if (page.parent / link["file"]).exists() else link["text"]

        page.write_text(LINK.sub(kept, page.read_text("utf-8")), "utf-8")


class BuildWithFiles(build_py):
    """Puts the files beside the packages."""

    def run(self) -> None:
        """Build anew: what an earlier build has left may be there no more."""
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        target = Path(self.build_lib) / "trivox_files"
        for path in shipped_files():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target / path)
        unlink_missing(target)
        sys.path.insert(0, str(ROOT))
        from bridge.ops.flash.compile import compile_firmware, version_of  # noqa: PLC0415 - it is not installed here

        compile_firmware(target / "compiled" / version_of(ROOT / "firmware"), ROOT / "firmware")


class SourceWithFiles(sdist):
    """Makes a source distribution from which the same wheel can be built."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Add the files."""
        super().make_release_tree(base_dir, sorted({*files, *map(str, shipped_files())}))


setup(cmdclass={"build_py": BuildWithFiles, "sdist": SourceWithFiles})
