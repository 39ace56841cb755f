"""``pf-pipeline``: names the commands, and turns errors into one sentence and an exit status.

0 done, 1 failed, 2 wrong usage or settings. What needs Dagster or pandas is imported by the command
that needs it, so that ``--help`` answers at once.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Literal

import typer
from rich.console import Console

FAILED, WRONG_USAGE = 1, 2

app = typer.Typer(
    help="Every Property Finder inquiry in your CRM: once, with the right agent, within seconds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, no instant
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no day such as 2025-12-19.") from None


FirstDay = Annotated[
    date, typer.Option("--from", parser=_day, metavar="DAY", help="The first UTC day, YYYY-MM-DD.")
]
LastDay = Annotated[
    date, typer.Option("--to", parser=_day, metavar="DAY", help="The last UTC day, included.")
]
Order = Literal["newest", "oldest"]
Faults = Literal["none", "rough", "hostile"]
Form = Literal["atlas", "guide"]
Host = Annotated[str, typer.Option(help="The address to listen on.")]


@contextmanager
def _ending_clearly() -> Iterator[None]:
    """Errors that have words of their own end the command with them; others are bugs."""
    try:
        yield
    except KeyboardInterrupt:
        _say("Interrupted. What was stored stays; the same command goes on from there.")
        sys.stdout.flush()
        # An interrupted run leaves half-run generators behind; tearing them down at the end of the
        # interpreter prints complaints of native libraries over this sentence.
        os._exit(FAILED)
    except typer.Exit:
        raise
    except Exception as error:
        from pf_pipeline.commands.errors import EXPECTED_ERRORS, WRONG_SETTINGS

        if not isinstance(error, (*WRONG_SETTINGS, *EXPECTED_ERRORS)):
            raise
        _say(str(error))
        raise typer.Exit(WRONG_USAGE if isinstance(error, WRONG_SETTINGS) else FAILED) from None


def _say(message: str) -> None:
    Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)


@app.command()
def demo() -> None:
    """Run the whole pipeline, end to end, against a sandbox portal."""
    with _ending_clearly():
        from pf_pipeline.commands.demo import run_demo

        run_demo(Console())


@app.command()
def backfill(first: FirstDay, last: LastDay) -> None:
    """Bring all leads of a range of days from the portal into the CRM; both days included.

    Running it again is safe: nothing is loaded twice, and what people changed stays.
    """
    with _ending_clearly():
        from pf_pipeline.commands.backfill import run_backfill
        from pf_pipeline.settings import load_settings

        run_backfill(load_settings(), first, last, Console())


@app.command()
def subscribe(
    *,
    url: Annotated[
        str | None,
        typer.Option(
            help="The receiver, such as https://crm.example.com/webhooks/property-finder."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show who is subscribed.")] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Register again, because the secret has changed.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what --url is subscribed to.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="With --remove: whatever the address.")
    ] = False,
) -> None:
    """Have the portal post the events of leads to the webhook receiver.

    Signed with PF_WEBHOOK_SECRET. Running it again is safe: what is registered stays.
    """
    with _ending_clearly():
        from pf_pipeline.commands.subscribe import run_list, run_subscribe, run_unsubscribe
        from pf_pipeline.settings import SettingsError, load_settings

        if show + renew + remove > 1:
            raise SettingsError("Give one of --list, --renew and --remove, and not several.")
        if every and not remove:
            raise SettingsError("--all goes with --remove only.")
        settings, console = load_settings(), Console()
        if show:
            run_list(settings, console)
        elif remove:
            run_unsubscribe(settings, console, url, every=every)
        else:
            run_subscribe(settings, console, url, renew=renew)


@app.command()
def rebuild(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would differ; keep the CRM as it is.")
    ] = False,
    assign_anew: Annotated[
        bool,
        typer.Option(
            "--assign-anew",
            help="Let today's properties and agents decide for every lead that no person gave "
            "away; else agents keep their leads.",
        ),
    ] = False,
) -> None:
    """Make the CRM anew from the raw archive and the reference data, and compare both.

    The old CRM stays in use until the new one is whole. People's decisions on agents are kept;
    whatever else was changed by hand is not.
    """
    with _ending_clearly():
        from pf_pipeline.commands.rebuild import run_rebuild
        from pf_pipeline.settings import load_settings

        run_rebuild(load_settings(), Console(), dry_run=dry_run, assign_anew=assign_anew)


@app.command()
def doctor() -> None:
    """Look at settings, reference data, token, portal, CRM, disk and webhooks; one line each."""
    with _ending_clearly():
        from pf_pipeline.commands.doctor import run_doctor

        healthy = run_doctor(Console())
    if not healthy:
        raise typer.Exit(FAILED)


@app.command()
def sandbox(  # noqa: PLR0913 - each argument is an option
    *,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8640,
    seed: Annotated[int, typer.Option(help="Other seeds give other leads.")] = 1,
    leads_per_day: Annotated[int, typer.Option(min=1, help="How many leads a day.")] = 60,
    first: Annotated[
        date | None,
        typer.Option("--from", parser=_day, metavar="DAY", help="The first day with leads."),
    ] = None,
    last: Annotated[
        date | None,
        typer.Option("--to", parser=_day, metavar="DAY", help="The last one; else up to now."),
    ] = None,
    order: Annotated[Order, typer.Option(help="Which leads the first page holds.")] = "newest",
    history_days: Annotated[
        int | None,
        typer.Option(min=1, help="Forget older leads, as the portal does after 90; else none."),
    ] = None,
    late_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of leads that surface up to 170 minutes late."),
    ] = 0.0,
    live: Annotated[
        int,
        typer.Option(min=0, max=1_000, help="So many more leads each minute while it runs."),
    ] = 0,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before each answer.")] = 0.0,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Answer 429 beyond so many; else no limit.")
    ] = None,
    faults: Annotated[
        Faults,
        typer.Option(
            help="rough: every 12th answer fails, as the portal does on a bad day. "
            "hostile: every 4th, and some look right with wrong data. By seed, the same each time."
        ),
    ] = "none",
    drip_seconds: Annotated[
        float, typer.Option(min=0, max=60, help="How long an answer takes that a fault slows.")
    ] = 0.2,
    leads_change: Annotated[
        bool,
        typer.Option(
            "--leads-change",
            help="Statuses move over hours, agents hand over, recordings appear within 2 days.",
        ),
    ] = False,
    leads_scope: Annotated[
        bool, typer.Option(help="Whether the key may read leads; if not, they answer 403.")
    ] = True,
    webhook: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Post the events of leads there, on this machine; signed with PF_WEBHOOK_SECRET "
            "where that is set.",
        ),
    ] = None,
    webhook_form: Annotated[
        Form, typer.Option(help="What is posted: the contract's events or the guide's leads.")
    ] = "atlas",
) -> None:
    """Serve a local Property Finder that speaks both dialects, with lifelike leads."""
    with _ending_clearly():
        from pf_pipeline.commands.sandbox_settings import subscribed_from_the_beginning
        from pf_pipeline.sandbox import SandboxOptions, serve

        webhook_secret = subscribed_from_the_beginning(webhook)
        options = SandboxOptions(
            seed=seed,
            leads_per_day=leads_per_day,
            first_day=first,
            last_day=last,
            order=order,
            history_days=history_days,
            late_share=late_share,
            leads_change=leads_change,
            live_per_minute=live,
            latency_seconds=latency,
            requests_per_minute=requests_per_minute,
            leads_scope=leads_scope,
            faults=faults,
            drip_seconds=drip_seconds,
            webhook_form=webhook_form,
            webhook_url=webhook,
            webhook_secret=webhook_secret,
        )
        try:
            serve(options, host, port)
        except OSError as error:
            _say(f"The sandbox cannot listen on {host}:{port}: {error.strerror}.")
            raise typer.Exit(FAILED) from None


@app.command()
def webhook(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8650,
) -> None:
    """Receive webhook deliveries: stored before they are answered, and loaded within seconds."""
    with _ending_clearly():
        from pf_pipeline.commands.webhook import run_webhook

        in_order = run_webhook(Console(), host=host, port=port)
        sys.stdout.flush()
        sys.stderr.flush()
        # The loader may hang in a lock: nothing is waited for any more, and nothing can be lost.
        os._exit(0 if in_order else FAILED)


@app.command()
def ui(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The UI's port.")] = 3000,
    sandbox_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The sandbox portal's port.")
    ] = 8640,
    webhook_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the sandbox's new leads arrive.")
    ] = 8650,
    *,
    sandbox: Annotated[
        bool, typer.Option(help="Put a sandbox behind the UI, or use the settings' portal.")
    ] = True,
) -> None:
    """Open the Dagster UI, with its daemon and, unless told otherwise, a sandbox portal."""
    with _ending_clearly():
        from pf_pipeline.commands.ui import run_ui

        run_ui(
            Console(),
            host=host,
            port=port,
            sandbox_port=sandbox_port if sandbox else None,
            webhook_port=webhook_port,
        )


def main() -> None:
    """Run the command line."""
    sys.exit(app())


if __name__ == "__main__":
    main()
