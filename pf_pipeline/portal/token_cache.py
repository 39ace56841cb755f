"""One token for all processes of a machine, in a file that only its user can read.

A file that is missing, damaged or out of date costs a new token and nothing else. When to ask for
one is up to ``tokens``.
"""

import hashlib
import json
import logging
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

_OWN = stat.S_IRUSR | stat.S_IWUSR
_LARGEST = 64 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token, and for how long it may be used.

    Attributes:
        token: The token.
        age: Seconds since it was asked for.
        lifetime: Seconds that it may be used, from when it was asked for.
    """

    token: str = field(repr=False)
    age: float
    lifetime: float


class TokenCache:
    """The file of one portal and one API key; threads and processes may share it."""

    def __init__(
        self,
        folder: Path,
        *identity: str,
        lock_seconds: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the file; nothing is read yet.

        Args:
            folder: A folder that only this user can look into.
            *identity: Whose token it is (portal, key, secret); only a hash of it is written.
            lock_seconds: How long to wait for another process that asks for a token.
            clock: The time, in seconds since 1970: the one clock that outlives the machine's start.
        """
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        self._path = folder / f"token-{digest[:32]}.json"
        self._lock_seconds = lock_seconds
        self._clock = clock
        self._warned = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from asking for a token; they wait, and then find this one's.

        A lock that cannot be had is no reason to stop: at worst two tokens are asked for.
        """
        lock = FileLock(f"{self._path}.lock", timeout=self._lock_seconds, mode=_OWN)
        try:
            lock.acquire()
        except (OSError, Timeout) as error:
            self._warn(error)
        try:
            yield
        finally:
            lock.release()

    def read(self) -> CachedToken | None:
        """The token in the file, if it can still be used."""
        try:
            with self._path.open("rb") as file:
                fields = json.loads(file.read(_LARGEST))
            token, asked_at, lifetime = fields["token"], fields["asked_at"], fields["lifetime"]
            cached = CachedToken(token, self._clock() - float(asked_at), float(lifetime))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(error)
            return None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None  # damaged: a new token takes its place
        # An age below nothing: the clock was set back, and says nothing about the token.
        usable = isinstance(token, str) and 0 <= cached.age < cached.lifetime
        return cached if usable else None

    def write(self, token: str, *, age: float, lifetime: float) -> None:
        """Put a token in the place of what is there; see ``CachedToken`` for the meanings."""
        fields = {"token": token, "asked_at": self._clock() - age, "lifetime": lifetime}
        temporary: str | None = None
        try:
            # Readable by this user only from its first byte on.
            descriptor, temporary = tempfile.mkstemp(prefix=self._path.name, dir=self._path.parent)
            with os.fdopen(descriptor, "w") as file:
                json.dump(fields, file)
            Path(temporary).replace(self._path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            self._warn(error)

    def drop(self, token: str) -> None:
        """Remove this token, unless another process has replaced it already."""
        with self.held():
            cached = self.read()
            if cached is not None and cached.token == token:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)

    def _warn(self, error: OSError | Timeout) -> None:
        if not self._warned:
            _log.warning(
                "The token cannot be shared with other processes (%s): each asks for its own.",
                getattr(error, "strerror", None) or type(error).__name__,
            )
        self._warned = True
