"""Windows of a browser in the sizes people use, and what is looked for on every page that is opened in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

SIZES: Final = {"phone": (390, 844), "desk": (1280, 900)}
GRAVE: Final = frozenset({"serious", "critical"})


@dataclass
class Window:
    """One browser window, with cookies of its own.

    :param pictures: where pictures are put; ``None``: none are taken, each of a whole page is half a second's work
    :param complaints: what the browser said in its console, and pages that failed
    """

    context: BrowserContext
    page: Page
    size: str
    pictures: Path | None
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> int:
        """Go somewhere and return the status."""
        answer = self.page.goto(url)
        assert answer is not None
        return answer.status

    def look(self, name: str) -> None:
        """Expect a page without serious faults of accessibility, nothing cut off at the side, no complaint; take a picture if one is wanted."""
        self.page.wait_for_load_state("load")
        self.page.evaluate("document.fonts.ready")
        if self.pictures is not None:
            self.page.screenshot(path=self.pictures / f"{name}-{self.size}.png", full_page=True)
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} on a {self.size}: {wide} px beyond the right edge"
        found = Axe().run(self.page).response["violations"]
        grave = [
            f"{one['id']}: {one['help']} at {'; '.join(' '.join(node['target']) for node in one['nodes'][:3])}"
            for one in found
            if one["impact"] in GRAVE
        ]
        assert not grave, f"{name} on a {self.size}:\n" + "\n".join(grave)
        assert not self.complaints, f"{name} on a {self.size}: {self.complaints}"


class Screens:
    """Opens windows."""

    def __init__(self, browser: Browser, pictures: Path | None, *, served: bool = False) -> None:
        self.browser = browser
        self.pictures = pictures
        self.served = served

    @classmethod
    @contextmanager
    def open(cls, program: str, pictures: Path | None, host: tuple[str, int] | None = None) -> Iterator[Screens]:
        """Start the browser.

        :param program: its path
        :param pictures: folder for pictures of the pages that are looked at; ``None``: there are to be none
        :param host: a name of HTTPS that is served at this port of the machine, with a certificate that nobody signed
        """
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
        rules = [] if host is None else [f"--host-resolver-rules=MAP {host[0]}:443 127.0.0.1:{host[1]}"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *rules])
            try:
                yield cls(browser, pictures, served=host is not None)
            finally:
                browser.close()

    @contextmanager
    def window(self, size: str, *, script: bool = True) -> Iterator[Window]:
        """Open a window. :param size: of :data:`SIZES`"""
        width, height = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            locale="es-SV",
            timezone_id="America/El_Salvador",
            java_script_enabled=script,
            accept_downloads=True,
            ignore_https_errors=self.served,
        )
        try:
            window = Window(context, context.new_page(), size, self.pictures)

            def said(message: ConsoleMessage) -> None:
                if message.type in ("error", "warning"):
                    window.complaints.append(message.text)

            window.page.on("console", said)
            window.page.on("pageerror", lambda problem: window.complaints.append(str(problem)))
            yield window
        finally:
            context.close()
