"""The real sidecar for tests: on free ports of loopback, in this process, with the configuration that a test gives."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from sidecar.application import Application
from sidecar.configuration import load
from sidecar.journal import CallTold, tell


class Running:
    """A sidecar that serves. ``proxy`` is the base of its base URLs: ``http://127.0.0.1:PORT``."""

    def __init__(self, application: Application, directory: Path) -> None:
        self.application = application
        self.proxy = f"http://{application.addresses['proxy']}"
        self.admin = f"http://{application.addresses['admin']}"
        self.probes = f"http://{application.addresses['probes']}"
        self.bundle = directory / "bundle.crt"
        """What clients must trust."""

    def calls(self) -> list[CallTold]:
        """The calls that have ended, oldest first."""
        self.application.account()
        return [tell(record) for record in self.application.journal.last(1_000_000)]

    def port(self, provider: str) -> str:
        """The base URL of the port that *provider* has of its own."""
        return f"http://{self.application.addresses[provider]}"


@contextlib.asynccontextmanager
async def running(
    *overrides: str, plugins: str = "[]", file: Path | None = None, environ: dict[str, str] | None = None
) -> AsyncIterator[Running]:
    """Serve with *overrides* (as after ``--set``), the *plugins* (as in YAML) and the configuration in *file*.

    Calls that are still under way when a test ends are cut off at once.
    """
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        fixed: Sequence[str] = (
            "listen.address=127.0.0.1:0",
            "admin.address=127.0.0.1:0",
            "probes.address=127.0.0.1:0",
            f"tls.directory={directory}",
            *(() if file is not None else (f"plugins={plugins}",)),
        )
        application = Application(lambda: load(file, environ or {}, (*fixed, *overrides)), file)
        await application.start()
        try:
            yield Running(application, directory)
        finally:
            await application.stop(0.0)
