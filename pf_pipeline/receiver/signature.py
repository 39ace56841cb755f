"""Whether a delivery comes from the portal (contract, webhooks).

``X-Signature`` is the hexadecimal HMAC-SHA256 of the raw body, 64 digits, of either case. Nothing
else is a signature: no prefix such as ``sha256=``, no second header. Whoever has the secret sends
it like that, and every form more that is accepted is one more to be wrong about.
"""

import hmac
from collections.abc import Sequence

HEX_DIGITS = 64


class Verifier:
    """Knows the secrets, the current one and perhaps the one before it, and never shows them."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the secrets; without any, nothing is authentic.

        Args:
            secrets: Empty ones are ignored, because anybody could sign with them.
        """
        self._keys = [secret.encode() for secret in secrets if secret]

    def is_authentic(self, body: bytes, signature: bytes | None) -> bool:
        """Whether the signature is that of the body, by any of the secrets.

        Takes as long for one secret as for the other, and for a digit that is wrong as for all.

        Args:
            body: The bytes as received.
            signature: The header's value, whatever it is; ``None`` if there is none.
        """
        if signature is None or len(signature) != HEX_DIGITS:
            return False
        given = signature.lower()
        authentic = False
        for key in self._keys:
            expected = hmac.digest(key, body, "sha256").hex().encode()
            authentic |= hmac.compare_digest(expected, given)
        return authentic
