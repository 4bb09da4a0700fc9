"""Keep secrets out of everything that is written: credentials in URLs, and values that were registered.

A password may be in a text verbatim, percent-encoded in one way or another, in the form of Python or JSON, or inside
a URL of somebody else's making; registering it covers all but the last, the URL patterns cover that even where nobody
registered anything.
"""

import base64
import json
import re
from functools import lru_cache
from urllib.parse import unquote

HIDDEN = "***"
# Shorter secrets would blank out ordinary words; inside a URL the patterns still hide them.
SHORTEST = 3
SHORTEST_QUERY_VALUE = 6

# Up to the last @ before white space: passwords may contain @, /, % and quotes as they please.
_USER_INFO = re.compile(r"""([A-Za-z0-9+.-]:/{1,2})[^\s<>]{0,500}@""")
_QUERY = re.compile(r"""((?:rtsps?|rtmps?|https?)://[^\s?'"<>]{0,500})\?[^\s'"<>]*""")

# Some cameras take their password in the path: /user=admin&password=...&channel=1
_CREDENTIAL = re.compile(r"((?:pass\w{0,12}|pwd|token|key|auth|secret)=)([^&/?#\s]+)", re.IGNORECASE)

# Longer texts are cut, and the patterns look ahead a bounded way: a line of a megabyte would stall the process.
LONGEST_TEXT = 64 * 1024
LONGEST_RUN = 2 * 1024
"""Characters without a blank before the cut that are left out too: the cut may go through a URL."""
MOST_TOKENS = 64
"""Forms of tokens, which are renewed for ever; the oldest are no secret any more."""

_registered: dict[str, None] = {}
"""For good: what settings and files say."""
_tokens: dict[str, None] = {}


def register(secret: str) -> None:
    """Hide this value from now on, in every form in which it is likely to be written."""
    _remember(secret, _registered)


def register_token(token: str) -> None:
    """Hide a value that is renewed again and again: only the last ones are known, and no other secret is forgotten."""
    _remember(token, _tokens)
    while len(_tokens) > MOST_TOKENS:
        del _tokens[next(iter(_tokens))]


def _remember(secret: str, known: dict[str, None]) -> None:
    for meant in {secret, unquote(secret)}:
        for form in {meant, repr(meant)[1:-1], json.dumps(meant)[1:-1], json.dumps(meant, ensure_ascii=False)[1:-1]}:
            if len(form) >= SHORTEST:
                known.pop(form, None)  # one that is said again is among the newest
                known[form] = None


@lru_cache(4096)
def _encoded(secret: str) -> re.Pattern[str]:
    """Return what finds a text percent-encoded, all of it or some, in capitals or not; a blank may be a plus."""

    def either(character: str) -> str:
        plain = "[ +]" if character == " " else re.escape(character)
        return f"(?:{plain}|(?i:{''.join(f'%{byte:02x}' for byte in character.encode('utf-8', 'surrogatepass'))}))"

    return re.compile("".join(map(either, secret)))


def register_url(url: str) -> None:
    """Hide the password of a URL, and what looks like a credential in its path and query."""
    user_info, _, _ = _authority(url).rpartition("@")
    user, separator, password = user_info.partition(":")
    if separator:
        register(password)
        if len(password) >= SHORTEST:  # as a header of HTTP or RTSP has it
            register(base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode())
    for value in _CREDENTIAL.findall(url):
        register(value[1])
    for pair in filter(None, url.partition("?")[2].split("&")):
        # A short value, such as stream=main, is an ordinary word in other lines.
        value = pair.partition("=")[2]
        if len(value) >= SHORTEST_QUERY_VALUE:
            register(value)


def redact(text: str) -> str:
    """Return the text without any secret that is known, or that looks like one."""
    may_be_encoded = "%" in text or "+" in text
    for secret in sorted({**_tokens, **_registered}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
        if may_be_encoded:
            text = _encoded(secret).sub(HIDDEN, text)
    if len(text) > LONGEST_TEXT:
        text = f"{_cut(text)}... (cut)"
    text = _CREDENTIAL.sub(rf"\g<1>{HIDDEN}", text)
    text = _USER_INFO.sub(rf"\g<1>{HIDDEN}@", text)
    return _QUERY.sub(rf"\g<1>?{HIDDEN}", text)


def _cut(text: str) -> str:
    """Return the beginning, and never a part of what may be a URL or a credential."""
    end = LONGEST_TEXT
    while end > LONGEST_TEXT - LONGEST_RUN and not text[end - 1].isspace():
        end -= 1
    return text[:end] if {":", "="} & set(text[end:LONGEST_TEXT]) else text[:LONGEST_TEXT]


def public_url(url: str) -> str:
    """Return a URL as it may be shown: without user, password and query, and without credentials in its path."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return redact(url)
    authority = _authority(url)
    path = re.split(r"[?#]", rest[len(authority) :])[0]
    host = authority.rpartition("@")[2]
    return redact(_CREDENTIAL.sub(rf"\g<1>{HIDDEN}", f"{scheme}://{host}{path}"))


def _authority(url: str) -> str:
    """The part between :// and the path: user, password, host and port."""
    return re.split(r"[/?#]", url.partition("://")[2])[0]
