"""Players for call recordings. The notebook fetches nothing: who presses play does."""

import socket
from html import escape
from urllib.parse import urlsplit

import pandas as pd
from IPython.display import HTML, Markdown

from pf_pipeline.settings import is_loopback

ANSWERS_WITHIN_SECONDS = 1.0
SANDBOX_IS_OFF = (
    "*The recordings are the sandbox's, which does not run: start it in another terminal with "
    "`.venv/bin/pf-pipeline sandbox`, then run this cell again.*"
)


def players(recordings: pd.DataFrame) -> HTML | Markdown:
    """A player for each recording, in the rows' order.

    Args:
        recordings: ``recording_url``, ``who`` and ``when`` (texts to be shown), ``talk_seconds``.
    """
    links = [url for url in recordings["recording_url"] if _can_be_played(url)]
    if not links:
        return Markdown("*There are no recordings to play.*")
    if is_loopback(links[0]) and not _answers(links[0]):
        return Markdown(SANDBOX_IS_OFF)
    rows = "".join(
        f"<tr><td>{escape(when)}</td><td>{escape(who)}</td>"
        f"<td style='text-align:right'>{_seconds(talk_seconds)}</td>"
        f"<td><audio controls preload='none' src='{escape(url, quote=True)}'></audio></td></tr>"
        for when, who, talk_seconds, url in zip(
            *(recordings[name] for name in ("when", "who", "talk_seconds", "recording_url")),
            strict=True,
        )
        if url in links
    )
    return HTML(
        "<table><tr><th>call</th><th>agent</th><th>talk time</th><th>recording</th></tr>"
        f"{rows}</table>"
    )


def _can_be_played(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection(
            (parts.hostname or "", parts.port or 80), ANSWERS_WITHIN_SECONDS
        ):
            return True
    except OSError:
        return False


def _seconds(talk_seconds: float) -> str:
    return "" if pd.isna(talk_seconds) else f"{talk_seconds:.0f} s"
