"""Who may deliver: whoever has a secret, and signs the very bytes."""

import http.client

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pf_pipeline.receiver import WEBHOOK_PATH
from pf_pipeline.receiver.signature import Verifier
from pf_pipeline_tests.receiver.builders import EARLIER_SECRET, SECRET, envelope, guide_lead, sign
from pf_pipeline_tests.receiver.running import Receiver

BODY = envelope(1)
GOOD = sign(BODY)
LATIN = "\xe9" * 64

MALFORMED: dict[str, str | None] = {
    "no header": None,
    "empty": " ",
    "one digit": "a",
    "63 digits": GOOD[:-1],
    "65 digits": GOOD + "0",
    "twice": GOOD + GOOD,
    "half": GOOD[:32],
    "sha256=": f"sha256={GOOD}",
    "SHA256=": f"SHA256={GOOD}",
    "sha256:": f"sha256:{GOOD}",
    "sha1=": f"sha1={GOOD[:40]}",
    "v1=": f"v1={GOOD}",
    "t= and v1=": f"t=1,v1={GOOD}",
    "hmac": f"hmac {GOOD}",
    "0x": f"0x{GOOD}",
    "bearer": f"Bearer {GOOD}",
    "basic": "Basic dXNlcjpwYXNz",
    "quoted": f'"{GOOD}"',
    "in single quotes": f"'{GOOD}'",
    "in brackets": f"[{GOOD}]",
    "in braces": "{" + GOOD + "}",
    "a list": f"{GOOD},{GOOD}",
    "a list with blanks": f"{GOOD}, {GOOD}",
    "with a semicolon": f"{GOOD};",
    "with an equals sign": f"{GOOD}=",
    "a tab inside": GOOD[:32] + "\t" + GOOD[33:],
    "a blank inside": GOOD[:32] + " " + GOOD[33:],
    "with colons": ":".join(GOOD[n : n + 2] for n in range(0, 64, 2)),
    "with dashes": "-".join(GOOD[n : n + 8] for n in range(0, 64, 8)),
    "reversed": GOOD[::-1],
    "rotated": GOOD[1:] + GOOD[0],
    "first digit wrong": ("0" if GOOD[0] != "0" else "1") + GOOD[1:],
    "last digit wrong": GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"),
    "all zeros": "0" * 64,
    "all f": "f" * 64,
    "no hexadecimal": "z" * 64,
    "letters o for zeros": "o" * 64,
    "Latin letters": LATIN,
    "Latin letter at the end": GOOD[:-1] + "\xe9",
    "base64": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
    "null": "null",
    "undefined": "undefined",
    "none": "None",
    "true": "true",
    "a number": "1",
    "negative": "-1",
    "very long": "a" * 8_000,
    "a path": "../../etc/passwd",
    "a format": "%s%s%s%n",
    "a template": "{{7*7}}",
    "SQL": "' OR 1=1 --",
    "percent encoded": "%61" * 64,
    "an empty secret": sign(BODY, ""),
    "another secret": sign(BODY, "another"),
    "the secret itself": SECRET.ljust(64, "0"),
    "secret with a line break": sign(BODY, SECRET + "\n"),
    "secret in capitals": sign(BODY, SECRET.upper()),
    "secret in reverse": sign(BODY, SECRET[::-1]),
    "of another body": sign(envelope(2)),
    "of an empty body": sign(b""),
    "of the body with a line break": sign(BODY + b"\n"),
    "of the body without its last byte": sign(BODY[:-1]),
    "of the body in capitals": sign(BODY.upper()),
    "of the signature": sign(GOOD.encode()),
    "of the event's id": sign(b"evt-1"),
    "of the secret": sign(SECRET.encode()),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_forged_and_malformed_signatures_are_refused(receiver: Receiver, name: str) -> None:
    signature = MALFORMED[name]
    answer = receiver.post(BODY, signature)
    assert answer.status == 401
    assert receiver.inbox.last_number == 0


def test_there_are_enough_of_them() -> None:
    assert len(set(MALFORMED.values())) >= 60


def test_a_second_header_makes_both_worthless(receiver: Receiver) -> None:
    for values in ((GOOD, GOOD), (GOOD, "0" * 64), ("0" * 64, GOOD), (GOOD, "")):
        line = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        line.putrequest("POST", WEBHOOK_PATH)
        line.putheader("Content-Length", str(len(BODY)))
        for value in values:
            line.putheader("X-Signature", value)
        line.endheaders(BODY)
        assert line.getresponse().status == 401
        line.close()


@pytest.mark.parametrize("secret", [SECRET, EARLIER_SECRET])
def test_both_secrets_are_good_while_one_follows_the_other(secret: str) -> None:
    verifier = Verifier([SECRET, EARLIER_SECRET])
    assert verifier.is_authentic(BODY, sign(BODY, secret).encode())
    assert verifier.is_authentic(BODY, sign(BODY, secret).upper().encode())
    assert not verifier.is_authentic(BODY + b" ", sign(BODY, secret).encode())


def test_the_earlier_secret_is_worthless_once_it_is_gone() -> None:
    assert not Verifier([SECRET]).is_authentic(BODY, sign(BODY, EARLIER_SECRET).encode())


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_without_a_secret_nothing_is_authentic(secrets: list[str]) -> None:
    verifier = Verifier(secrets)
    for signature in (None, b"", sign(BODY, "").encode(), GOOD.encode()):
        assert not verifier.is_authentic(BODY, signature)


@settings(deadline=None)
@given(body=st.binary(max_size=200), signature=st.none() | st.binary(max_size=80))
def test_no_header_whatever_breaks_it(body: bytes, signature: bytes | None) -> None:
    assert not Verifier([SECRET]).is_authentic(body, signature)


@settings(deadline=None)
@given(body=st.binary(max_size=200), secret=st.text(min_size=1, max_size=40))
def test_what_the_portal_signs_is_authentic(body: bytes, secret: str) -> None:
    assert Verifier([secret]).is_authentic(body, sign(body, secret).encode())


def test_refused_deliveries_are_counted_and_not_kept(receiver: Receiver) -> None:
    before = receiver.metric("pf_webhook_deliveries_total", outcome="bad_signature")
    assert receiver.post(str(guide_lead(1)).encode(), "0" * 64).status == 401
    assert receiver.metric("pf_webhook_deliveries_total", outcome="bad_signature") == before + 1
    assert receiver.inbox.last_number == 0
