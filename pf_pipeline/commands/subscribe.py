"""``pf-pipeline subscribe``: has the portal post the events of leads to the webhook receiver."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pf_pipeline.commands.webhook_settings import (
    LONGEST_SECRET,
    checked_url,
    given_url,
    shown,
    webhook_secret,
)
from pf_pipeline.orchestration.pipeline import Pipeline
from pf_pipeline.portal import LEAD_EVENTS, Subscription, Subscriptions, same_address
from pf_pipeline.settings import Settings, SettingsError

REGISTERED, THERE, RENEWED, REMOVED, KEPT = (
    "registered",
    "was there",
    "renewed",
    "removed",
    "another address: kept",
)


@dataclass(frozen=True)
class Outcome:
    """What became of one subscription.

    Attributes:
        event: The event of leads, or the portal's own id of another event.
        url: Where it is posted.
        words: What was done.
    """

    event: str
    url: str
    words: str


def run_subscribe(settings: Settings, console: Console, url: str | None, *, renew: bool) -> None:
    """Register an address for all events of leads; what is registered already stays.

    Args:
        settings: With the portal and the secret.
        console: Where the outcome is shown.
        url: The receiver's address.
        renew: Remove and register again what is there, because the secret has changed.

    Raises:
        SettingsError: The address or the secret cannot be used; nothing was sent.
        PortalError: The portal did not do it; a repetition goes on from there.
    """
    address = checked_url(url)
    secret = webhook_secret(settings)
    if secret is None:
        raise SettingsError(
            "There is no PF_WEBHOOK_SECRET: set it to a secret of your own of at most "
            f"{LONGEST_SECRET} characters, the same for the receiver."
        )
    with Pipeline(settings).portal() as portal:
        subscriptions = Subscriptions(portal)
        outcomes = list(_registered(subscriptions, address, secret, renew=renew))
    _show(console, "Subscriptions to the events of leads", outcomes)
    if any(outcome.words == THERE for outcome in outcomes):
        console.print(
            "The portal does not tell which secret a subscription has: if PF_WEBHOOK_SECRET has "
            "changed since, run this again with --renew.",
            soft_wrap=True,
        )


def run_unsubscribe(settings: Settings, console: Console, url: str | None, *, every: bool) -> None:
    """Remove the subscriptions to events of leads of one address, or of every address.

    Raises:
        SettingsError: There is no address, and not every one is meant; nothing was sent.
        PortalError: The portal did not do it; a repetition goes on from there.
    """
    address = None if every and url is None else given_url(url)
    with Pipeline(settings).portal() as portal:
        subscriptions = Subscriptions(portal)
        outcomes = []
        for one in _of_leads(subscriptions.listed()):
            ours = every or (address is not None and same_address(one.url, address))
            if ours:
                subscriptions.remove(one)
            outcomes.append(_outcome(one, REMOVED if ours else KEPT))
    _show(console, "Subscriptions to the events of leads", outcomes)


def run_list(settings: Settings, console: Console) -> None:
    """Show all subscriptions of the account.

    Raises:
        PortalError: They could not be read.
    """
    with Pipeline(settings).portal() as portal:
        listed = Subscriptions(portal).listed()
    table = Table(title="Subscriptions of the account", box=box.SIMPLE)
    for heading in ("event", "address", "since"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        table.add_row(
            Text(one.lead_event or one.event_id), Text(shown(one.url)), Text(one.created_at)
        )
    console.print(table if listed else "Nobody is subscribed.")


def _registered(
    subscriptions: Subscriptions, url: str, secret: str, *, renew: bool
) -> Iterator[Outcome]:
    listed = list(_of_leads(subscriptions.listed()))
    for event in LEAD_EVENTS:
        ours = [one for one in listed if one.lead_event == event and same_address(one.url, url)]
        for one in ours if renew else ():
            subscriptions.remove(one)
        if ours and not renew:
            yield Outcome(event, url, THERE)
        elif subscriptions.add(event, url, secret):
            yield Outcome(event, url, RENEWED if ours else REGISTERED)
        else:
            yield Outcome(event, url, THERE)
    for one in listed:
        if not same_address(one.url, url):
            yield _outcome(one, KEPT)


def _of_leads(listed: Iterable[Subscription]) -> Iterator[Subscription]:
    return (one for one in listed if one.lead_event is not None)


def _outcome(subscription: Subscription, words: str) -> Outcome:
    return Outcome(subscription.lead_event or subscription.event_id, subscription.url, words)


def _show(console: Console, title: str, outcomes: list[Outcome]) -> None:
    if not outcomes:
        console.print("Nobody is subscribed to the events of leads.")
        return
    table = Table(title=title, box=box.SIMPLE)
    for heading in ("event", "address", "outcome"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        table.add_row(outcome.event, Text(shown(outcome.url)), outcome.words)
    console.print(table)
