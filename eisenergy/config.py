"""Settings: read once from the environment, then passed down. Nothing else reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PREFIX: Final = "EISENERGY_"
KNOWN: Final = {
    "HOME": "workspace folder: everything that is written lies in it (default: ./data)",
    "PARAMS": "folder of the dated parameters (default: ./params)",
    "SAMPLES": "folder of the shipped sample files (default: ./data/samples)",
    "DATABASE_URL": "PostgreSQL to use; without it a server of our own runs under HOME/pg",
    "LAKE": "folder or object-store address of the readings (default: HOME/lake)",
    "CLIENT": "the tenant commands work for (default: EIS)",
    "WORKERS": "processes for notebooks and documents (default: the machine's cores)",
    "RENDERER": "auto, embedded or quarto (default: auto: Quarto where it is on the PATH)",
    "NOTEBOOK_TIMEOUT": "seconds one notebook may take (default: 300)",
    "NOTEBOOK_ENGINE": "auto, fork or kernel (default: auto: forked children where the system forks, else a kernel each)",
    "BATCH": "customers one forked child serves; 1: a process per customer (default: 25)",
    "CHILD_MEMORY": "megabytes a forked child may take beyond what it starts with (default: 2048)",
    "SCHEDULER": "tcp://host:port of a dask scheduler whose workers make the documents (default: this machine does)",
    "REQUIRE_ALL": "tests only: a missing program is a failure, not a skip",
}


def project_root(start: Path) -> Path:
    """Return the nearest folder, from ``start`` upwards, that holds ``_quarto.yml`` and ``params``; else ``start``.

    So a notebook that JupyterLab starts in ``notebooks/`` finds the same workspace as a command at the top.
    """
    for folder in (start, *start.parents):
        if (folder / "_quarto.yml").is_file() and (folder / "params").is_dir():
            return folder
    return start


class BadSetting(ValueError):
    """A setting that is unknown or cannot be read."""


def scheduler_address(given: str | None, name: str) -> str | None:
    """Check the address of a scheduler; nothing is no scheduler.

    :param name: what it was given as, for the message
    :raises BadSetting: when it is none
    """
    if not given:
        return None
    if not re.fullmatch(r"(tcp|tls)://([\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", given):
        raise BadSetting(f"{name}={given!r}: expected the address of a dask scheduler, such as tcp://10.0.0.5:8786")
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, checked.

    :param root: the project: ``notebooks/``, ``reports/`` and ``_quarto.yml`` lie in it
    :param home: the workspace
    :param lake: folder or address of the readings
    """

    root: Path
    home: Path
    params: Path
    samples: Path
    database_url: str | None
    lake: str
    client: str
    workers: int
    renderer: str
    notebook_timeout: int
    notebook_engine: str = "auto"
    batch: int = 25
    child_memory: int = 2048
    scheduler: str | None = None

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, *, home: Path | None = None, client: str | None = None
    ) -> Settings:
        """Read the settings. What is given counts from the working directory, what is not given from the project's root.

        :param environ: defaults to the process's environment
        :param home: overrides ``EISENERGY_HOME``
        :param client: overrides ``EISENERGY_CLIENT``
        :raises BadSetting: for an unknown ``EISENERGY_`` name or a value that cannot be read
        """
        env = os.environ if environ is None else environ
        for name in env:
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in KNOWN:
                raise BadSetting(f"{name} is not a setting. Known are: {', '.join(PREFIX + known for known in KNOWN)}.")

        def text(name: str, default: str) -> str:
            return env.get(PREFIX + name) or default

        def number(name: str, default: int) -> int:
            value = text(name, str(default))
            if not value.isdigit() or int(value) < 1:
                raise BadSetting(f"{PREFIX}{name}={value!r}: expected a whole number from 1")
            return int(value)

        def one_of(name: str, *known: str) -> str:
            value = text(name, known[0])
            if value not in known:
                raise BadSetting(f"{PREFIX}{name}={value!r}: expected {', '.join(known[:-1])} or {known[-1]}")
            return value

        root = project_root(Path.cwd())

        def folder(name: str, default: str) -> Path:
            given = env.get(PREFIX + name)
            return Path(given).absolute() if given else root / default

        workspace = folder("HOME", "data") if home is None else home.absolute()
        return cls(
            root=root,
            home=workspace,
            params=folder("PARAMS", "params"),
            samples=folder("SAMPLES", "data/samples"),
            database_url=env.get(PREFIX + "DATABASE_URL") or None,
            lake=text("LAKE", str(workspace / "lake")),
            client=client or text("CLIENT", "EIS"),
            workers=number("WORKERS", os.cpu_count() or 1),
            renderer=one_of("RENDERER", "auto", "embedded", "quarto"),
            notebook_timeout=number("NOTEBOOK_TIMEOUT", 300),
            notebook_engine=one_of("NOTEBOOK_ENGINE", "auto", "fork", "kernel"),
            batch=number("BATCH", 25),
            child_memory=number("CHILD_MEMORY", 2048),
            scheduler=scheduler_address(env.get(PREFIX + "SCHEDULER"), f"{PREFIX}SCHEDULER"),
        )

    @property
    def inbox(self) -> Path:
        """Where original files are kept, by the sha256 of their bytes."""
        return self.home / "inbox"

    @property
    def sites(self) -> Path:
        """Where published sites lie: ``sites/CLIENT/CUSTOMER/`` and ``sites/CLIENT/_operator/``."""
        return self.home / "sites"

    @property
    def runs(self) -> Path:
        """Where executed notebooks lie: ``runs/CLIENT/MONTH/CUSTOMER/``."""
        return self.home / "runs"

    def environment(self) -> dict[str, str]:
        """The same settings as environment variables, for a process started from here."""
        result = {
            PREFIX + "HOME": str(self.home),
            PREFIX + "PARAMS": str(self.params),
            PREFIX + "SAMPLES": str(self.samples),
            PREFIX + "LAKE": self.lake,
            PREFIX + "CLIENT": self.client,
            PREFIX + "WORKERS": str(self.workers),
            PREFIX + "RENDERER": self.renderer,
            PREFIX + "NOTEBOOK_TIMEOUT": str(self.notebook_timeout),
            PREFIX + "NOTEBOOK_ENGINE": self.notebook_engine,
            PREFIX + "BATCH": str(self.batch),
            PREFIX + "CHILD_MEMORY": str(self.child_memory),
        }
        if self.database_url:
            result[PREFIX + "DATABASE_URL"] = self.database_url
        if self.scheduler:
            result[PREFIX + "SCHEDULER"] = self.scheduler
        return result
