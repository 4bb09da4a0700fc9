"""Keep secrets out of everything that is written: credentials in URLs, and values that were registered.

A password may be in a text verbatim, percent-encoded, or inside a URL of FFmpeg's own making; registering it
covers the first two, the URL patterns cover the rest even where nobody registered anything.
"""

import re
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
# Shorter secrets would blank out ordinary words; inside a URL the patterns still hide them.
SHORTEST = 3
SHORTEST_QUERY_VALUE = 6

# Up to the last @ before white space or a quote: passwords may contain @, / and % as they please.
_USER_INFO = re.compile(r"""((?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,15}:/{1,2})[^\s'"<>]{0,500}@""")
_QUERY = re.compile(r"""((?:rtsps?|rtmps?|https?)://[^\s?'"<>]{0,500})\?[^\s'"<>]*""")

# Some cameras take their password in the path: /user=admin&password=...&channel=1
_CREDENTIAL = re.compile(r"((?:pass\w{0,12}|pwd|token|key|auth|secret)=)([^&/?#\s]+)", re.IGNORECASE)

# Longer texts are cut, and the patterns look ahead a bounded way: a line of a megabyte would stall the process.
LONGEST_TEXT = 64 * 1024
# Tokens are renewed for ever; the oldest are no secret any more.
MOST_SECRETS = 2000

_registered: dict[str, None] = {}


def register(secret: str) -> None:
    """Hide this value from now on, in every form in which it is likely to be written."""
    for form in (secret, unquote(secret), quote(secret, safe=""), quote(secret), quote_plus(secret)):
        if len(form) >= SHORTEST:
            _registered[form] = None
            _registered[repr(form)[1:-1]] = None
    while len(_registered) > MOST_SECRETS:
        del _registered[next(iter(_registered))]


def register_url(url: str) -> None:
    """Hide the password of a URL, and what looks like a credential in its path and query."""
    user_info, _, _ = _authority(url).rpartition("@")
    _, separator, password = user_info.partition(":")
    if separator:
        register(password)
    for value in _CREDENTIAL.findall(url):
        register(value[1])
    for pair in filter(None, url.partition("?")[2].split("&")):
        # A short value, such as stream=main, is an ordinary word in other lines.
        value = pair.partition("=")[2]
        if len(value) >= SHORTEST_QUERY_VALUE:
            register(value)


def redact(text: str) -> str:
    """Return the text without any secret that is known, or that looks like one."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}... (cut)"
    for secret in sorted(_registered, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _CREDENTIAL.sub(rf"\g<1>{HIDDEN}", text)
    text = _USER_INFO.sub(rf"\g<1>{HIDDEN}@", text)
    return _QUERY.sub(rf"\g<1>?{HIDDEN}", text)


def public_url(url: str) -> str:
    """Return a URL as it may be shown: without user, password and query, and without credentials in its path."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return redact(url)
    authority = _authority(url)
    path = re.split(r"[?#]", rest[len(authority) :], maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    return redact(_CREDENTIAL.sub(rf"\g<1>{HIDDEN}", f"{scheme}://{host}{path}"))


def _authority(url: str) -> str:
    """The part between :// and the path: user, password, host and port."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
