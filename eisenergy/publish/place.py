"""Put a folder into place whole: whoever looks sees the old one or the new one, also when the process is killed."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_EXCHANGE: Final = 2
_OLD: Final = ".old"
_NEW: Final = ".new"
PROJECT: Final = ".project"
"""What may lie beside the folder that is being made, under its name and this."""


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Give a folder to write to that takes the target's place when the block ends well.

    The folder starts as a copy of the target, where there is one. Two processes that publish the same target wait for each
    other. What a killed process left is cleared away by the next.

    :param target: the folder that readers see; its parent is created
    """
    work = target.parent / ".staging"
    with locked(work / f"{target.name}.lock"):
        old = work / f"{target.name}{_OLD}"
        _recover(target, old, work)
        stage = work / f"{target.name}{_NEW}"
        try:
            if target.is_dir():
                # The same files under a second name: whoever changes one writes a new file in its place.
                shutil.copytree(target, stage, copy_function=link)
            else:
                stage.mkdir()
            yield stage
            _swap(stage, target, old)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for a lock file and hold it; the system drops the lock of a process that is killed.

    :param path: the file; its folder is made. Between machines it works where the shared folder's file system locks, as
        NFS and SMB do
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def link(source: str, target: str) -> str:
    """Give a file a second name; where the file system cannot, or has given it too many, copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _recover(target: Path, old: Path, work: Path) -> None:
    if old.is_dir():
        if target.exists():
            shutil.rmtree(old)
        else:
            os.rename(old, target)
    # By name: looking through the locks of ten thousand sites for each of them takes longer than making it.
    for left in (work / f"{target.name}{_NEW}", work / f"{target.name}{_NEW}{PROJECT}"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _swap(stage: Path, target: Path, old: Path) -> None:
    if not target.exists():
        os.rename(stage, target)
    elif not _exchange(stage, target):
        # Two renames on systems that cannot exchange; the next publication puts the old folder back if we die between them.
        os.rename(target, old)
        os.rename(stage, target)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step. Linux only; ``False`` where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    if libc.renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))
