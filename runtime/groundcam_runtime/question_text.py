"""How people write a question: a list in any form that is certain, else a sentence that shows the right one. Pure."""

import re

from pydantic import ValidationError

from groundcam_schemas import Question
from groundcam_schemas.limits import check_phrase
from groundcam_schemas.questions import EVERY_CAMERA, ClassSpec


class QuestionError(ValueError):
    """A question that cannot be asked."""


LISTED = "person, forklift:0.4"
RIGHT_FORM = f"write it as {LISTED}"

_ASCII = {0xFEE0 + code: chr(code) for code in range(0x21, 0x7F)}
"""Full-width letters, digits and punctuation (U+FF01 to U+FF5E), as East Asian keyboards have them."""
_KNOWN = str.maketrans({**_ASCII, 0x3000: " ", **dict.fromkeys(map(ord, "、､。｡،؛।"), ",")})
_SIGNS = {0xFF1D: "=", 0xFF0A: "*"}
_CAMERA = re.compile(r"\s*(\*|[A-Za-z0-9][A-Za-z0-9._-]*)\s*=\s*(.*)", re.DOTALL)
_BULLET = re.compile(r"[ \t]*(?:[-*+•‣▪●\u2013\u2014][ \t]+)")
_NUMBER = re.compile(r"[ \t]*(\d+)[.)][ \t]+")
_SEPARATORS = re.compile(r"\s*[,;|•‣▪●]\s*|\s+/\s+|\s*\.(?:\s+|$)|[ \t]*[\n\r\t\v\f\x85\u2028\u2029]\s*")
_DECIMAL_COMMA = re.compile(r"[^,;|\n]*:\s*[01]?,\d")
_THRESHOLD = re.compile(r"(.*\S)\s*:\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)", re.DOTALL)
_NUMBER_ALONE = re.compile(r"\s*(\d+(\.\d+)?|\.\d+)\s*%?\s*")
_NO_THRESHOLD = re.compile(r".*:\s*[^\w\s]*\s*\.?\d[\w.,%+-]*", re.DOTALL)
_STOP_INSIDE = re.compile(r"[\w)]\.\s+\w")
_LISTED_OTHERWISE = re.compile(r"[,;|\n]")
_TWO_WAYS = (
    (re.compile(r".*\d\s*%"), "ends with a number that may be its threshold"),
    (re.compile(r".*\S\s*:\s*(?:high|medium|low|nan|[+-]?inf(?:inity)?|none|null|auto|default)"),
     "ends with a word where a threshold is a number"),
    (re.compile(r"#\s.*"), "begins like a remark"),
    (re.compile(r"\[[ x✓✔]?\]\s.*"), "begins with a box to tick"),
)  # fmt: skip
_HEADING = re.compile(
    r"\|?\s*(?:class|label|name|object)(?:es|s)?\s*[,;|\t]\s*(?:box.)?(?:threshold|score|confidence)s?\b.*"
)
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "\u2018": "\u2019", "«": "»", "「": "」", "『": "』", "`": "`"}
_APOSTROPHE = re.compile(r"(?<=\w)['\u2019](?=\w)")
_ENCLOSING = {**_BRACKETS, **_QUOTES}


def parse_classes(text: str) -> tuple[ClassSpec, ...]:
    """Read a list of classes, each with a threshold of its own behind a colon if it has one, in lower case.

    Separators are commas, semicolons, bars, line breaks, tabs, ` / `, their full-width and ideographic forms, and the
    model's own `person . forklift .`; brackets, quotation marks, bullets and numbers around entries are no part of
    them. A threshold is `0.4` or `40%`. Raises QuestionError for an empty question or class, one with a full
    stop or question mark in it (the model takes both as ends), one that is there twice, and whatever could be read in
    two ways.
    """
    stripped = text.translate(_KNOWN).strip()
    if found := _DECIMAL_COMMA.search(stripped):
        raise QuestionError(f"{found[0].strip()!r} has a comma where a threshold has a point: {RIGHT_FORM}")
    bare = _without_marks(_without(stripped))
    if _HEADING.fullmatch(heading := bare.partition("\n")[0].lower()):
        raise QuestionError(f"{heading!r} is the heading of a table: leave it out, and write the rest as {LISTED}")
    if _LISTED_OTHERWISE.search(bare) and (stop := _STOP_INSIDE.search(bare)):
        near = bare[max(0, stop.start() - 15) : stop.end() + 15].strip()
        raise QuestionError(
            f"{near!r} has a full stop that may end a class or belong to it; leave it out, or separate all by commas"
        )
    parts = _SEPARATORS.split(bare)
    if parts and not parts[-1]:
        parts.pop()
    if not parts:
        raise QuestionError(f"a question needs at least one class: {RIGHT_FORM}")
    classes = tuple(_class(part) for part in parts)
    known: set[str] = set()
    for position, phrase in enumerate((one.phrase for one in classes), 1):
        if not phrase.strip():
            raise QuestionError(f"class {position} of the question {text.strip()!r} is empty: {RIGHT_FORM}")
        _check(phrase)
        if phrase in known:
            raise QuestionError(f"the class {phrase!r} is listed twice")
        known.add(phrase)
    return classes


def parse_question(text: str, **options: object) -> tuple[str, Question]:
    """Read `person, dog` or `*=person, dog` (for every camera), or `gate=person, dog`.

    Options are fields of Question; those that are None are left at their defaults. Raises QuestionError.
    """
    match = _CAMERA.fullmatch(text.translate(_SIGNS))
    camera_id, classes = match.groups() if match else (EVERY_CAMERA, text)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        question = Question.model_validate({"classes": [one.model_dump() for one in parse_classes(classes)], **given})
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise QuestionError(f"the question {text!r}: {first['msg'].removeprefix('Value error, ')}") from None
    return camera_id, question


def parse_decoys(text: str) -> tuple[str, ...]:
    """Read what competes and is not reported, as a list like that of the classes. Raises QuestionError."""
    found = parse_classes(text) if text.strip() else ()
    if with_threshold := next((one for one in found if one.box_threshold is not None), None):
        raise QuestionError(f"the decoy {with_threshold.phrase!r} has a threshold, and is never reported")
    return tuple(one.phrase for one in found)


def question_texts(value: object) -> object:
    """Return what a file or a variable holds as texts for `parse_question`; what can be no question as it is.

    One text, a list of texts or of classes (`- person: 0.4`), a map of camera to any of these, or of class to
    threshold.
    """
    match value:
        case str():
            return (value,)
        case dict() if value and all(map(_is_number, value.values())):
            return (_listed(value),)
        case dict():
            return tuple(f"{camera}={_listed(asked)}" for camera, asked in value.items())
        case list() | tuple():
            texts = [_listed(one).strip().rstrip(" .,;|") for one in value]
            for_all = [text for text in texts if not _CAMERA.fullmatch(text.translate(_SIGNS))]
            for_one = [text for text in texts if text not in for_all]
            return (*([", ".join(for_all)] if for_all else []), *for_one)
        case _:
            return value


def _listed(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{phrase}:{_threshold(phrase, one)}" for phrase, one in value.items())
        case list() | tuple():
            return ", ".join(map(_listed, value))
        case bool() | None:
            raise QuestionError(
                f"{str(value).lower()} is no class; if it is meant to be one, put it into quotation marks"
            )
        case _:
            return str(value)


def _threshold(phrase: object, value: object) -> str:
    """Return a class's threshold in a list; what stands there in a map of cameras is none. Raises QuestionError."""
    if _is_number(value) or (isinstance(value, str) and _NUMBER_ALONE.fullmatch(value)):
        return str(value)
    raise QuestionError(
        f"{phrase!r} stands in a list, with {value!r} as its threshold: write a class as - {phrase}, or with its"
        f" threshold as - {phrase}: 0.4; a camera's question is - {phrase}=person, dog"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _without(text: str) -> str:
    """Return a text without the brackets and quotation marks around all of it."""
    while len(text) > 1 and _ENCLOSING.get(text[0]) == text[-1] and not _is_within(text[0] + text[-1], text[1:-1]):
        text = text[1:-1].strip()
    return text


def _is_within(signs: str, text: str) -> bool:
    """Whether one of these signs stands in a text; an apostrophe within a word is none of them."""
    return not set(signs).isdisjoint(_APOSTROPHE.sub("", text))


def _without_marks(text: str) -> str:
    """Return a list of lines without its bullets, or its numbers where they count."""
    lines = [line for line in text.splitlines() if line.strip()]
    numbers = [found[1] for line in lines if (found := _NUMBER.match(line))]
    if len(lines) > 1 and numbers == [str(number) for number in range(1, len(lines) + 1)]:
        return "\n".join(_NUMBER.sub("", line, count=1) for line in lines)
    return "\n".join(_BULLET.sub("", line, count=1) for line in text.splitlines())


def _class(text: str) -> ClassSpec:
    bare = _without(text.strip())
    match = _THRESHOLD.fullmatch(bare)
    phrase, number, percent = match.groups() if match else (bare, None, "")
    phrase = " ".join(_without(phrase.strip()).lower().split())
    threshold = None if number is None else float(number) / (100 if percent else 1)
    if threshold is not None and threshold > 1:
        raise QuestionError(f"the threshold {number}{percent} of the class {phrase!r} is more than 1")
    if threshold == 0:
        raise QuestionError(f"the threshold of the class {phrase!r} is 0, and everything is above that: {RIGHT_FORM}")
    if match is None and _NO_THRESHOLD.fullmatch(bare):
        raise QuestionError(f"{bare!r} ends with a number that is no threshold: {RIGHT_FORM}")
    # An empty phrase is reported with its position in the question, which is not known here.
    return ClassSpec.model_construct(phrase=phrase, box_threshold=threshold)


def _check(phrase: str) -> None:
    try:
        check_phrase(phrase)
    except ValueError as error:
        raise QuestionError(f"the class {phrase!r}: {error}") from None
    if "." in phrase or "?" in phrase:
        raise QuestionError(f"the class {phrase!r} has a full stop or question mark in it: {RIGHT_FORM}")
    if re.search(r"\\[nrt]\w", phrase):
        raise QuestionError(
            f"the class {phrase!r} has a backslash in it where a line may be meant to end: {RIGHT_FORM}"
        )
    if "=" in phrase:
        raise QuestionError(f"the class {phrase!r} has a = in it, and what is before one is a camera's id, or *")
    if why := next((why for form, why in _TWO_WAYS if form.fullmatch(phrase)), None):
        raise QuestionError(f"the class {phrase!r} {why}: {RIGHT_FORM}")
    if re.fullmatch(r"[\d\s%+-]+", phrase):
        raise QuestionError(f"the class {phrase!r} is only a number: {RIGHT_FORM}")
    for begin, end in (*_BRACKETS.items(), ("“", "”"), ("«", "»"), ('"', '"')):
        if phrase.count(begin) % 2 if begin == end else phrase.count(begin) != phrase.count(end):
            raise QuestionError(f"the class {phrase!r} has one half of {begin}{end} in it: {RIGHT_FORM}")
