"""The originals of files that arrived, kept below ``inbox/CLIENT`` by the sha256 of their bytes."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.config import Settings

_TOGETHER: Final = 128
"""Files that are open at once while their bytes go to the disk."""
_PIECE: Final = 1 << 20
"""Bytes of a stream that are in memory at once."""


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class Originals:
    """Keeps originals below ``inbox/CLIENT``, each whole or not at all; many of them wait for the disk once, at :meth:`settle`.

    A context: what is not settled when it ends is forgotten.

    :raises OutOfScope: for a scope that may not write for the whole client
    :raises OSError: when the inbox cannot be written
    """

    def __init__(self, settings: Settings, scope: Scope) -> None:
        check_operator(scope)
        inbox = _inbox(settings, scope)
        inbox.mkdir(parents=True, exist_ok=True)
        # Paths are texts here: to make thousands of objects of them takes as long as to hash the files.
        self._inbox = str(inbox)
        self._open: list[tuple[int, str, str]] = []

    def __enter__(self) -> Originals:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def keep(self, path: Path) -> tuple[str, bytes]:
        """Copy a file; nothing when it is there already. It is kept as it was read, also where it is written to meanwhile.

        :returns: the sha256 of its bytes, and the bytes
        :raises OSError: when it cannot be read
        """
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        target = _place(self._inbox, sha256)
        if not _holds(target, len(data)):
            part, handle = self._part()
            self._open.append((handle, part, target))
            written = 0
            while written < len(data):
                written += os.write(handle, memoryview(data)[written:])
        if len(self._open) >= _TOGETHER:
            self.settle()
        return sha256, data

    def keep_stream(self, source: BinaryIO) -> tuple[str, int]:
        """Copy what comes out of a stream, a piece at a time; nothing stays of what is there already.

        :returns: the sha256 of the bytes, and how many there are
        """
        part, handle = self._part()
        digest, size = hashlib.sha256(), 0
        try:
            while piece := source.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                written = 0
                while written < len(piece):
                    written += os.write(handle, memoryview(piece)[written:])
        except BaseException:
            os.close(handle)
            _remove(part)
            raise
        target = _place(self._inbox, digest.hexdigest())
        if _holds(target, size):
            os.close(handle)
            os.unlink(part)
        else:
            self._open.append((handle, part, target))
        return digest.hexdigest(), size

    def settle(self) -> None:
        """Put what was copied in its place, once the disk has it."""
        try:
            for handle, _, _ in self._open:
                os.fsync(handle)
            folders = {os.path.dirname(target) for _, _, target in self._open}
            for folder in folders:
                os.makedirs(folder, exist_ok=True)
            for number, (handle, part, target) in enumerate(self._open):
                os.fchmod(handle, 0o444)
                os.replace(part, target)
                self._open[number] = (handle, "", target)
            for folder in folders:
                _sync_folder(folder)
        finally:
            self._drop()

    def _drop(self) -> None:
        """Forget what was copied and is not in its place yet."""
        for handle, part, _ in self._open:
            os.close(handle)
            if part:
                _remove(part)
        self._open.clear()

    def _part(self) -> tuple[str, int]:
        """A new file that is nobody's original yet: its path, and the open file."""
        part = f"{self._inbox}/.part-{secrets.token_hex(8)}"
        return part, os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def archive(settings: Settings, scope: Scope, path: Path) -> str:
    """Keep one original below ``inbox/CLIENT``, see :class:`Originals`.

    :returns: sha256 of its bytes, under which :func:`original` finds it
    """
    with Originals(settings, scope) as originals:
        sha256, _ = originals.keep(path)
        originals.settle()
    return sha256


def archived(settings: Settings, scope: Scope, sha256: str, size: int) -> bool:
    """Say whether the original of a file is kept.

    :param size: of the file [bytes]
    """
    check_operator(scope)
    return _holds(_place(_inbox(settings, scope), sha256), size)


def _holds(place: str, size: int) -> bool:
    try:
        return os.stat(place).st_size == size
    except OSError:
        return False


def original(settings: Settings, scope: Scope, sha256: str) -> Path:
    """Return where the original of a file is kept.

    :raises OutOfScope: for a scope that is limited to customers: a file may hold the readings of several
    :raises FileNotFoundError: when it was never archived
    """
    if scope.customers is not None:
        raise OutOfScope("a file may hold several customers' readings, and the scope is limited to customers")
    path = Path(_place(_inbox(settings, scope), sha256))
    if not path.is_file():
        raise FileNotFoundError(f"no original {sha256} in {path.parent.parent}: it was never taken in here")
    return path


def copy_original(settings: Settings, scope: Scope, sha256: str, to: Path) -> None:
    """Copy an original to a path of the caller's, for a reader that goes by the file's name."""
    shutil.copyfile(original(settings, scope, sha256), to)


def check_operator(scope: Scope) -> None:
    """Refuse a scope that may not write for the whole client. :raises OutOfScope:"""
    scope.check_writes()
    if scope.customers is not None:
        raise OutOfScope("files concern the whole client, and the scope is limited to customers")


def _inbox(settings: Settings, scope: Scope) -> Path:
    if not re.fullmatch(r"\w[\w.-]*", scope.client):
        raise OutOfScope(f"client code {scope.client!r} cannot name a folder")
    return settings.inbox / scope.client


def _place(inbox: Path | str, sha256: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FileNotFoundError(f"{sha256!r} is not a sha256: expected 64 hexadecimal digits")
    return f"{inbox}/{sha256[:2]}/{sha256}"


def _remove(part: str) -> None:
    """Remove a file, where it is there still."""
    with suppress(FileNotFoundError):
        os.unlink(part)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
