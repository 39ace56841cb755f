"""The folder that the runs of one user on one machine share: request budgets and tokens."""

import os
import stat
from pathlib import Path

from pf_pipeline.portal.errors import PermanentPortalError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> Path:
    """A folder that only this user can look into, made if need be.

    Under the temporary folder anybody may have put something in its place, to read the token or to
    have files written elsewhere.

    Raises:
        PermanentPortalError: It is a link, no folder, or somebody else's, or cannot be made.
    """
    try:
        path.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or _is_foreign(found):
            raise PermanentPortalError(
                f"The folder {path}, where runs share their token and request budget, is a link or "
                "belongs to somebody else: remove it, or set TMPDIR to a folder of your own."
            )
        if found.st_mode & _OTHERS:
            path.chmod(stat.S_IRWXU)
    except OSError as error:
        raise PermanentPortalError(
            f"The folder {path}, where runs share their token and request budget, cannot be made "
            f"({error.strerror}): remove what is in its place, or set TMPDIR to another folder."
        ) from None
    return path


def _is_foreign(found: os.stat_result) -> bool:
    return hasattr(os, "getuid") and found.st_uid != os.getuid()
