"""What may be asked of a model, and how it reads a question."""

import pytest

from groundcam_schemas import Question
from groundcam_worker.detectors.grounding_dino.captions import OF_NO_CLASS
from groundcam_worker.detectors.grounding_dino.text import LRU
from groundcam_worker.detectors.guarded import GuardedDetector
from groundcam_worker.errors import QuestionError
from parity import match, picture, rows


def reader(detector: GuardedDetector) -> object:
    return detector._detector._reader  # type: ignore[attr-defined]


def test_a_class_is_scored_by_its_own_tokens(detector: GuardedDetector) -> None:
    (caption,) = reader(detector).captions(("open door", "car", "ovation"))  # type: ignore[attr-defined]
    tokens = reader(detector)._tokenizer.convert_ids_to_tokens(list(caption.ids))  # type: ignore[attr-defined]
    own = [[token for token, owner in zip(tokens, caption.classes, strict=True) if owner == one] for one in range(3)]
    assert own == [["open", "door"], ["car"], ["o", "##v", "##a", "##t", "##i", "##o", "##n"]]
    rest = [token for token, owner in zip(tokens, caption.classes, strict=True) if owner == OF_NO_CLASS]
    assert rest == ["[CLS]", ".", ".", ".", "[SEP]"]


def test_a_caption_is_what_transformers_tokenises(detector: GuardedDetector) -> None:
    """Phrase by phrase or as one text: the same ids, so that the model reads what it was trained to read."""
    labels = ("open door", "a red car", "ovation", "dog")
    (caption,) = reader(detector).captions(labels)  # type: ignore[attr-defined]
    whole = reader(detector)._tokenizer(". ".join(labels) + ".")["input_ids"]  # type: ignore[attr-defined]
    assert list(caption.ids) == whole


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("person", "人"), "'人' is not in the model's vocabulary"),
        (("person", "🚗"), "'🚗' is not in the model's vocabulary"),
        (("a red 🚗",), "'a red 🚗' is not in the model's vocabulary: it cannot read '🚗'"),
        (("st. bernard",), "'st. bernard'.*full stop"),
        (("dog?",), r"'dog\?'.*question mark"),
        (("[SEP]",), r"'\[SEP\]'.*special token"),
        ((" ",), "' ' is empty"),
        (("Open  Door", "open door"), "'Open  Door' and 'open door' are the same to the model"),
        (("a " * 80,), "longer than the 64 tokens"),
        (tuple(f"{'b' * 50} {one}" for one in "cdefghijklmnopqrstuvwxyz0123456789"), "more than 32"),
    ],
)
def test_a_class_that_cannot_be_asked_is_named(detector: GuardedDetector, labels: tuple[str, ...], names: str) -> None:
    with pytest.raises(QuestionError, match=names):
        detector.check(Question.of(*labels))


@pytest.mark.parametrize("label", ["Person", "  open   door ", "dog-cat", "a, b"])
def test_capitals_blanks_and_punctuation_are_read(detector: GuardedDetector, label: str) -> None:
    detector.check(Question.of(label, "taxi"))


def test_capitals_are_the_same_to_the_model(detector: GuardedDetector) -> None:
    image = picture(1)
    (small,), (large,) = (detector.detect([image], [Question.of(word)]) for word in ("person", "PERSON"))
    assert rows(small) == rows(large)


LETTERS = "abcdefghijklmnopqrstuvwxyz"
MANY = tuple(f"{one}{other}" for one in LETTERS for other in LETTERS)[:300]


def test_a_question_costs_a_pass_for_each_of_its_captions(detector: GuardedDetector) -> None:
    """So that pictures of short questions need not share a batch with those of long ones."""
    assert detector.cost(Question.of("person", "dog")) == 1
    captions = reader(detector).captions(MANY)  # type: ignore[attr-defined]
    assert detector.cost(Question.of(*MANY)) == len(captions) > 10
    with pytest.raises(QuestionError, match="full stop"):
        detector.cost(Question.of("st. bernard"))


def test_a_question_is_tokenised_once(breakable: GuardedDetector) -> None:
    """Its cost is asked for every frame."""
    tokenizer, calls = reader(breakable)._tokenizer, []  # type: ignore[attr-defined]

    class Counting:
        def __call__(self, text, **options):  # type: ignore[no-untyped-def]
            calls.append(text)
            return tokenizer(text, **options)

        def __getattr__(self, name):  # type: ignore[no-untyped-def]
            return getattr(tokenizer, name)

    reader(breakable)._tokenizer = Counting()  # type: ignore[attr-defined]
    ask = Question.of("person", "dog")
    for _ in range(3):
        breakable.check(ask)
        assert breakable.cost(ask) == 1
        breakable.detect([picture(1)], [ask])
    assert calls == ["person", "dog"]


def test_three_hundred_classes_are_asked_in_several_captions_and_merged(detector: GuardedDetector) -> None:
    """The answer is that of each caption asked by itself, with the class ids of the whole question."""
    image, ask = picture(1), Question.of(*MANY, box_threshold=0.6, text_threshold=0.6)
    detector.check(ask)
    captions = reader(detector).captions(MANY)  # type: ignore[attr-defined]
    assert len(captions) > 10
    assert all(len(caption.ids) <= 64 for caption in captions)
    parts = [sorted({owner for owner in caption.classes if owner != OF_NO_CLASS}) for caption in captions]
    assert [one for part in parts for one in part] == list(range(300))
    (found,) = detector.detect([image], [ask])
    single = []
    for part in parts:
        labels = [MANY[index] for index in part]
        (answer,) = detector.detect([image], [Question.of(*labels, box_threshold=0.6, text_threshold=0.6)])
        assert sorted(part[one.class_id] for one in answer) == sorted(
            one.class_id for one in found if one.class_id in part
        )
        single += rows(answer)
    assert len(single) > 100
    assert match(rows(found), single).outside() == 0


def test_a_long_question_and_a_short_one_share_a_batch(detector: GuardedDetector) -> None:
    images = [picture(seed) for seed in (1, 2, 3)]
    asks = [Question.of("dog"), Question.of(*MANY[:60]), Question.of(*MANY[:25])]
    together = detector.detect(images, asks)
    for image, ask, mixed in zip(images, asks, together, strict=True):
        (alone,) = detector.detect([image], [ask])
        assert match(rows(alone), rows(mixed)).outside() == 0


def test_the_text_backbone_runs_once_for_each_question(breakable: GuardedDetector) -> None:
    side = breakable._detector._text  # type: ignore[attr-defined]
    calls, original = [], side._backbone.forward
    side._backbone.forward = lambda *given, **named: (calls.append(1), original(*given, **named))[1]
    for seed in range(3):
        breakable.detect([picture(seed), picture(seed + 9)], [Question.of("dog"), Question.of("cat", "dog")])
    breakable.detect([picture(4)], [Question.of("dog", box_threshold=0.7)])
    assert len(calls) == 2


def test_what_is_kept_is_bounded_and_the_newest() -> None:
    kept: LRU[int] = LRU(2)
    made = []

    def get(key: str) -> int:
        return kept.get(key, lambda: (made.append(key), len(made))[1])

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert made == ["a", "b", "c", "b"]
