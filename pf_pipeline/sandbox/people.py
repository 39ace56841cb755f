"""The people of the sandbox's brokerage: who works in the CRM and who exists at the portal.

Belongs here: each person's names and ids. What they own is in ``listings``; the CRM's file of
agents is written by ``reference_data``.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the CRM, the portal or both know.

    Attributes:
        agent_id: The CRM's id, such as ``A-01``; ``None`` for somebody only the portal knows.
        first_name: Given name.
        last_name: Family name.
        portal_user_id: The portal's user id, the guide's ``assignedTo.id``.
        portal_profile_id: The id of the public profile, the contract's ``publicProfile.id``:
            another number than the user id. ``None`` for office staff, who advertise nothing.
        active: Whether the person still works for the brokerage.
        linked: Whether the CRM has recorded the person's portal ids.
    """

    agent_id: str | None
    first_name: str
    last_name: str
    portal_user_id: int
    portal_profile_id: int | None
    active: bool = True
    linked: bool = True

    @property
    def name(self) -> str:
        """The full name, as the CRM has it."""
        return f"{self.first_name} {self.last_name}"

    @property
    def portal_name(self) -> str:
        """The name on the portal, in the style of the guide's "Agent Sarah"."""
        return f"Agent {self.first_name}"

    @property
    def email(self) -> str:
        """An address on a domain that is reserved for examples."""
        local_part = f"{self.first_name}.{self.last_name}".lower().replace(" ", "")
        return f"{local_part}@brokerage.example"

    @property
    def mobile(self) -> str:
        """An invented mobile number, valid in form."""
        return f"+97150000{self.portal_user_id:04d}"


PEOPLE: Final = (
    Person("A-01", "Sarah", "Haddad", 1234, 40217),
    Person("A-02", "Omar", "Al Farsi", 1241, 40233),
    Person("A-03", "Priya", "Menon", 1258, 40310),
    Person("A-04", "James", "Whitfield", 1263, 40348),
    Person("A-05", "Layla", "Mansour", 1290, 40391),
    Person("A-06", "Dmitri", "Volkov", 1302, 40455),
    Person("A-07", "Fatima", "Al Suwaidi", 1317, 40462),
    Person("A-08", "Rohan", "Kapoor", 1345, 40518, active=False),
    Person("A-09", "Hannah", "Becker", 1361, 40577),
    Person("A-10", "Khalid", "Rahman", 1388, 40603),
    Person("A-11", "Mariam", "Aziz", 1402, 40689, linked=False),
    Person("A-12", "Daniel", "Okafor", 1419, 40724, linked=False),
    Person("A-13", "Elena", "Petrova", 1427, 40790, active=False),
    Person("A-14", "Yusuf", "Demir", 1450, 40811),
    Person(None, "Nadia", "Karim", 1476, 40902),
    Person(None, "Victor", "Almeida", 1483, 40937),
    Person(None, "Office", "Desk", 1490, None),
)
"""Everybody, the CRM's agents first; ``A-01`` is the agent of the guide's sample lead."""

SARAH: Final = PEOPLE[0]
"""The agent of the guide's sample lead."""

CRM_AGENTS: Final = tuple(person for person in PEOPLE if person.agent_id is not None)
"""Whom the CRM knows."""

ADVERTISERS: Final = tuple(person for person in PEOPLE if person.portal_profile_id is not None)
"""Who has a public profile at the portal and can therefore receive leads there."""
