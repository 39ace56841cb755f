"""The words that invented inquiries are made of: names, messages, tags, phone number plans.

Belongs here: tables of text and numbers, English and Arabic; no logic.
"""

from dataclasses import dataclass
from typing import Final

from pf_pipeline.sandbox.chance import Shares

LATIN_FIRST_NAMES: Final = (
    "Ahmed", "Aisha", "Alexei", "Amira", "Anita", "Arjun", "Charlotte", "Chen", "Daria", "David",
    "Emma", "Farah", "Fernando", "George", "Hassan", "Igor", "Imran", "Isabel", "Jamal", "Jonas",
    "Karthik", "Leila", "Lucas", "Maria", "Mohammed", "Neha", "Nikolai", "Noor", "Oliver", "Omar",
    "Paolo", "Rania", "Sanjay", "Sofia", "Svetlana", "Tariq", "Thomas", "Vikram", "Wei", "Zainab",
)  # fmt: skip
LATIN_LAST_NAMES: Final = (
    "Abbas", "Ahmadi", "Bianchi", "Chaudhry", "Clarke", "Costa", "D'Souza", "El Masry", "Fischer",
    "Garcia", "Gupta", "Hussain", "Ivanov", "Iyer", "Jaber", "Khan", "Kumar", "Li", "Lopez",
    "Müller", "Nair", "Nasser", "Novak", "O'Brien", "Orlova", "Patel", "Qureshi", "Reddy",
    "Robinson", "Saleh", "Sharma", "Sidorov", "Smith", "Tan", "Taylor", "Walker", "Yilmaz", "Zhang",
)  # fmt: skip
ARABIC_FIRST_NAMES: Final = (
    "محمد", "أحمد", "فاطمة", "مريم", "خالد", "عبدالله", "سارة", "نورة", "يوسف", "علي", "حصة",
    "سلطان", "ليلى", "عمر", "ريم", "حمدان", "شيخة", "إبراهيم", "هند", "راشد",
)  # fmt: skip
ARABIC_LAST_NAMES: Final = (
    "المنصوري", "الهاشمي", "الكعبي", "المزروعي", "الشامسي", "السويدي", "النعيمي", "الظاهري",
    "البلوشي", "القحطاني", "العتيبي", "الحربي", "حسن", "عبدالرحمن", "الخوري", "المصري",
)  # fmt: skip

ENGLISH_MESSAGES: Final = (
    "I am interested in this property, please call me.",
    "Is this still available? I would like to view it this weekend.",
    "Hi, what is the best price for cash?",
    "Could you share the floor plan and the service charges please?",
    "Hello, can I arrange a viewing tomorrow after 6 pm?",
    "Is it vacant on transfer? My budget is flexible.",
    "Please send me the location pin and more photos 🙏",
    "We are a family of four moving in March.\nIs the school nearby?",
)
ARABIC_MESSAGES: Final = (
    "السلام عليكم، هل العقار ما زال متاحا؟",
    "أنا مهتم بهذا العقار، يرجى الاتصال بي.",
    "ما هو أفضل سعر للدفع نقدا؟",
    "هل يمكن ترتيب معاينة غدا مساء؟",
    "أرجو إرسال الموقع والمزيد من الصور.",
)

ENRICHMENTS: Final = Shares[tuple[tuple[str, str], ...]]({
    (): 90,
    (("budget", "1M-1.5M AED"), ("timeline", "3 months")): 3,
    (("budget", "2M-3M AED"),): 3,
    (("nationality", "IN"), ("mortgage", "pre-approved")): 2,
    (("language", "ar"), ("residency", "resident")): 2,
})  # fmt: skip
"""What the portal adds about a person."""
TAGS: Final = Shares[tuple[str, ...]]({
    (): 91,
    ("from_agent",): 4,
    ("hot",): 2,
    ("repeat_inquiry",): 2,
    ("hot", "verified_user"): 1,
})  # fmt: skip
"""``from_agent`` marks a contact that the agent began, not an inquiry."""
UNKNOWN_FIELDS: Final = Shares[tuple[str, str] | None]({
    None: 98,
    ("campaign", "spring-open-house"): 1,
    ("device", "ios"): 1,
})  # fmt: skip
"""Fields that no documentation mentions."""
DISTRIBUTION_TYPES: Final = ("project_cta", "project_open_leads")


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """How the mobile numbers of a country look.

    Attributes:
        country_code: Digits after the plus.
        prefixes: First digits of the national number.
        free_digits: How many digits follow; the invented ones.
        groups: Sizes of the groups in which the national number is written.
    """

    country_code: str
    prefixes: tuple[str, ...]
    free_digits: int
    groups: tuple[int, ...]


UAE: Final = NumberPlan("971", ("500", "520", "540", "550", "560", "580"), 6, (2, 3, 4))
"""Mobile numbers whose subscriber part starts with 0, so that few can belong to anybody."""

NUMBER_PLANS: Final = Shares({
    UAE: 72,
    NumberPlan("91", ("90000", "98000", "99999"), 5, (5, 5)): 9,
    NumberPlan("44", ("74000",), 5, (4, 6)): 6,
    NumberPlan("7", ("90000", "99900"), 5, (3, 3, 2, 2)): 5,
    NumberPlan("966", ("5000",), 5, (2, 3, 4)): 4,
    NumberPlan("20", ("10000", "12000"), 5, (3, 3, 4)): 4,
})  # fmt: skip
"""Where inquirers come from: UAE, India, UK, Russia, Saudi Arabia, Egypt."""
