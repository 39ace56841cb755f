"""The listings of the sandbox's brokerage, in the CRM, at the portal or in both.

Belongs here: what is advertised, under which reference, and by whom. Everything follows from the
table of communities by counting, without chance, so that the shipped reference files never change.
"""

from dataclasses import dataclass
from hashlib import sha256
from itertools import cycle
from typing import Final, Literal

from pf_pipeline.sandbox.people import CRM_AGENTS, PEOPLE, Person

ListingState = Literal["live", "draft", "archived"]


@dataclass(frozen=True, slots=True)
class Listing:
    """One advertised property.

    Attributes:
        reference: The brokerage's own reference, which the CRM sent to the portal.
        title: English title, as in the guide's "Luxury 2BR in Downtown".
        title_arabic: Arabic title.
        community: The part of the city.
        city: Dubai or Abu Dhabi.
        bedrooms: Number of bedrooms; 0 is a studio, ``None`` an office.
        price_aed: Asking price in UAE dirhams.
        portal_id: The guide's numeric listing id.
        atlas_id: The contract's listing id, a ULID.
        owner: The agent responsible: in the CRM, where the listing is there.
        advertiser: The agent who advertises it at the portal; mostly the owner.
        in_crm: Whether the CRM (still) has it.
        state: What the portal does with it; only live listings are public.
    """

    reference: str
    title: str
    title_arabic: str
    community: str
    city: str
    bedrooms: int | None
    price_aed: int
    portal_id: int
    atlas_id: str
    owner: Person
    advertiser: Person
    in_crm: bool
    state: ListingState


@dataclass(frozen=True, slots=True)
class _Community:
    name: str
    arabic_name: str
    city: str
    kinds: tuple[str, ...]
    reference_style: str
    first_unit: int
    price_aed: int


_COMMUNITIES: Final = (
    _Community("Downtown", "وسط المدينة", "Dubai", ("APT",),
               "{kind}-DOWNTOWN-{unit}", 101, 1_150_000),
    _Community("Palm Jumeirah", "نخلة جميرا", "Dubai", ("VIL", "APT"),
               "{kind}-PALM-{unit:03}", 17, 2_900_000),
    _Community("JLT", "أبراج بحيرات جميرا", "Dubai", ("OFF", "APT"),
               "{kind}-JLT-{unit}", 2204, 640_000),
    _Community("Dubai Marina", "دبي مارينا", "Dubai", ("APT", "PH"),
               "{kind}-MARINA-{unit}", 1502, 1_050_000),
    _Community("Business Bay", "الخليج التجاري", "Dubai", ("OFF", "APT"),
               "BB{unit}-S", 706, 820_000),
    _Community("Dubai Hills", "دبي هيلز", "Dubai", ("VIL", "TH"),
               "{kind}-HILLS-{unit:03}", 42, 1_300_000),
    _Community("Arabian Ranches", "المرابع العربية", "Dubai", ("VIL", "TH"),
               "AR-{unit:04}/R", 88, 1_100_000),
    _Community("JVC", "قرية جميرا الدائرية", "Dubai", ("APT", "TH"),
               "{kind}-JVC-{unit}", 309, 480_000),
    _Community("Al Barsha", "البرشاء", "Dubai", ("APT", "VIL"),
               "barsha-{unit:05}", 413, 700_000),
    _Community("DIFC", "مركز دبي المالي العالمي", "Dubai", ("OFF", "APT"),
               "{kind}-DIFC-{unit}", 1801, 1_250_000),
    _Community("Dubai Creek Harbour", "ميناء خور دبي", "Dubai", ("APT", "PH"),
               "DCH_{unit}_{kind}", 905, 980_000),
    _Community("Mirdif", "مردف", "Dubai", ("VIL", "TH"),
               "MIR.{unit:04}", 61, 760_000),
    _Community("Saadiyat Island", "جزيرة السعديات", "Abu Dhabi", ("VIL", "APT"),
               "AUH-SAAD-{kind}-{unit:03}", 23, 1_600_000),
    _Community("Al Reem Island", "جزيرة الريم", "Abu Dhabi", ("APT",),
               "AUH-REEM-{kind}-{unit}", 2710, 620_000),
    _Community("Yas Island", "جزيرة ياس", "Abu Dhabi", ("APT", "TH"),
               "AUH-YAS-{kind}-{unit}", 412, 740_000),
)  # fmt: skip
"""Where the brokerage works; the price is that of the smallest property there."""

_LISTINGS_PER_COMMUNITY: Final = 8
_UNIT_STEP: Final = 103
"""One floor and three doors further: 101, 204, 307, ..."""

_BEDROOMS: Final[dict[str, tuple[int | None, ...]]] = {
    "APT": (2, 1, 0, 3),
    "VIL": (4, 5, 3, 6),
    "TH": (3, 2, 4, 3),
    "PH": (4, 3, 5, 4),
    "OFF": (None,),
}
_KINDS: Final = {"APT": "", "VIL": "Villa", "TH": "Townhouse", "PH": "Penthouse", "OFF": "Office"}
_ARABIC_KINDS: Final = {
    "APT": "شقة",
    "VIL": "فيلا",
    "TH": "تاون هاوس",
    "PH": "بنتهاوس",
    "OFF": "مكتب",
}
_ARABIC_FEMININE_KINDS: Final = frozenset({"APT", "VIL"})
_ARABIC_STUDIO: Final = "استوديو"
_ARABIC_BEDROOMS: Final = {
    1: "بغرفة نوم",
    2: "بغرفتي نوم",
    3: "بثلاث غرف نوم",
    4: "بأربع غرف نوم",
    5: "بخمس غرف نوم",
    6: "بست غرف نوم",
}
_ADJECTIVES: Final = ("Luxury", "Bright", "Upgraded", "Furnished", "Spacious")
_ARABIC_ADJECTIVES: Final = ("فاخر", "مشرق", "مجدد", "مفروش", "واسع")

_DELETED_FROM_CRM: Final = frozenset({
    "APT-DOWNTOWN-719", "VIL-PALM-223", "BB809-S", "AR-0500/R",
    "barsha-00516", "OFF-DIFC-2007", "AUH-YAS-APT-618",
})  # fmt: skip
"""Sold and deleted, or never in the CRM: leads still name these references."""

_ARCHIVED: Final = frozenset({"APT-DOWNTOWN-719", "barsha-00516", "MIR.0782"})
_DRAFTS: Final = frozenset({"APT-JVC-721", "AUH-SAAD-VIL-435"})

_LEFT_BEHIND: Final = {
    "APT-MARINA-1708": "A-08",
    "VIL-HILLS-248": "A-08",
    "TH-JVC-618": "A-13",
    "APT-DIFC-2110": "A-13",
}
"""Listings whose owner in the CRM has left the brokerage."""

_ADVERTISED_BY_ANOTHER: Final = {
    "BB809-S": "Nadia",
    "AUH-YAS-APT-618": "Victor",
    "OFF-JLT-2410": "Sarah",
    "APT-MARINA-1708": "Omar",
    "MIR.0679": "Layla",
}
"""First name of the advertiser, where the portal and the CRM disagree about the agent."""

_BY_AGENT_ID: Final = {person.agent_id: person for person in CRM_AGENTS}
_BY_FIRST_NAME: Final = {person.first_name: person for person in PEOPLE}


def _ulid(reference: str) -> str:
    """A ULID in form: 26 Crockford digits, decided by the reference alone."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    digits = sha256(reference.encode()).digest()
    return "01J" + "".join(alphabet[digit % 32] for digit in digits[:23])


def _title(number: int, kind: str, bedrooms: int | None, place: str) -> str:
    size = "Studio" if bedrooms == 0 else f"{bedrooms}BR" if bedrooms else ""
    words = (_ADJECTIVES[number % len(_ADJECTIVES)], size, _KINDS[kind], "in", place)
    return " ".join(filter(None, words))


def _arabic_title(number: int, kind: str, bedrooms: int | None, place: str) -> str:
    adjective = _ARABIC_ADJECTIVES[number % len(_ARABIC_ADJECTIVES)]
    if bedrooms == 0:
        return f"{_ARABIC_STUDIO} {adjective} في {place}"
    if kind in _ARABIC_FEMININE_KINDS:
        adjective += "ة"
    size = _ARABIC_BEDROOMS.get(bedrooms or 0, "")
    return " ".join(filter(None, (_ARABIC_KINDS[kind], adjective, size, "في", place)))


def _state(reference: str) -> ListingState:
    if reference in _ARCHIVED:
        return "archived"
    return "draft" if reference in _DRAFTS else "live"


def _listing(community: _Community, position: int, number: int, owner: Person) -> Listing:
    """The listing at a position of its community; the number counts through all communities."""
    kind = community.kinds[position % len(community.kinds)]
    sizes = _BEDROOMS[kind]
    bedrooms = sizes[position // len(community.kinds) % len(sizes)]
    reference = community.reference_style.format(
        kind=kind, unit=community.first_unit + _UNIT_STEP * position
    )
    owner = _BY_AGENT_ID.get(_LEFT_BEHIND.get(reference, ""), owner)
    return Listing(
        reference=reference,
        title=_title(number, kind, bedrooms, community.name),
        title_arabic=_arabic_title(number, kind, bedrooms, community.arabic_name),
        community=community.name,
        city=community.city,
        bedrooms=bedrooms,
        price_aed=community.price_aed * (1 + (bedrooms or 0)) + 25_000 * position,
        portal_id=554433 + 61 * number,
        atlas_id=_ulid(reference),
        owner=owner,
        advertiser=_BY_FIRST_NAME.get(_ADVERTISED_BY_ANOTHER.get(reference, ""), owner),
        in_crm=reference not in _DELETED_FROM_CRM,
        state=_state(reference),
    )


def _all_listings() -> tuple[Listing, ...]:
    owners = cycle(person for person in CRM_AGENTS if person.active)
    return tuple(
        _listing(community, position, row * _LISTINGS_PER_COMMUNITY + position, next(owners))
        for row, community in enumerate(_COMMUNITIES)
        for position in range(_LISTINGS_PER_COMMUNITY)
    )


LISTINGS: Final = _all_listings()
"""Every listing; the first is that of the guide's sample lead."""

SAMPLE_LISTING: Final = LISTINGS[0]
"""``APT-DOWNTOWN-101``, the listing of the guide's sample lead."""
