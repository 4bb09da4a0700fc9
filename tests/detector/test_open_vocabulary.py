"""OWLv2 and OmDet-Turbo give the boxes and scores of transformers' own path, whatever else is in the batch."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import open_vocabulary_checkpoints as checkpoints
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import ClassSpec, Question
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.checkpoints.loading import Loaded, load
from groundcam_worker.detectors.open_vocabulary import OpenVocabulary
from groundcam_worker.errors import ModelError, QuestionError
from open_vocabulary_checkpoints import Answer, Reference, agree, documented, rows
from parity import asking, picture

CLASSES = ("person", "open door", "taxi")
THRESHOLD = {"owlv2": 0.3, "omdet-turbo": 0.2}
SAVE = {"owlv2": checkpoints.save_owlv2, "omdet-turbo": checkpoints.save_omdet_turbo}
SIZES = [(320, 240), (240, 320), (96, 96), (400, 130)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """On a busy machine, networks as small as these spend seconds waiting for their own threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=list(SAVE))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, family: str) -> Path:
    return SAVE[family](tmp_path_factory.mktemp(family) / family)


@pytest.fixture(scope="module")
def original(folder: Path) -> Loaded:
    return load(resolve(str(folder)))


@pytest.fixture
def loaded(original: Loaded) -> Loaded:
    """A model of the test's own."""
    return copy.deepcopy(original)


@pytest.fixture(scope="module")
def detector(original: Loaded) -> OpenVocabulary:
    return OpenVocabulary(original, torch.device("cpu"))


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return documented(folder)


def answer(detector: OpenVocabulary, family: str, image: Image, classes: tuple[str, ...] = CLASSES) -> list[Answer]:
    (found,) = detector.detect([image], [asking(*classes, box_threshold=THRESHOLD[family])])
    return rows(found, image if family == "omdet-turbo" else None)


@pytest.mark.parametrize("size", SIZES)
def test_boxes_scores_and_classes_are_those_of_transformers(
    detector: OpenVocabulary, reference: Reference, family: str, size: tuple[int, int]
) -> None:
    for seed in (1, 2):
        image = picture(seed, *size)
        theirs = reference(image, CLASSES, THRESHOLD[family])
        assert len(theirs) > 5, "a model that finds nothing proves nothing"
        assert agree(answer(detector, family, image), theirs)


def _words_of_the_next_class(detector: OpenVocabulary) -> None:
    original = detector._words
    detector._words = lambda labels: original((*labels[1:], labels[0]))


def _extent_of_another_picture(detector: OpenVocabulary) -> None:
    original = detector._network.extent
    detector._network.extent = lambda width, height: original(width + 1, height + 1)


def _words_of_another_class(detector: OpenVocabulary) -> None:
    original = detector._words
    detector._words = lambda labels: original((*labels[:-1], "dog"))


def _other_boxes(detector: OpenVocabulary) -> None:
    for name, weight in detector._network._model.named_parameters():
        if "box_head" in name or "decoder_bbox_head" in name:
            weight.data.mul_(0.99)


def _other_sight(detector: OpenVocabulary) -> None:
    original = detector._pictures
    detector._pictures = lambda *images, **options: original(*images, **{**options, "do_normalize": False})


@pytest.mark.parametrize(
    "break_it",
    [_words_of_the_next_class, _extent_of_another_picture, _words_of_another_class, _other_boxes, _other_sight],
)
def test_a_broken_twin_does_not_agree(
    loaded: Loaded, reference: Reference, family: str, break_it: Callable[[OpenVocabulary], None]
) -> None:
    twin = OpenVocabulary(loaded, torch.device("cpu"))
    image = picture(1)
    theirs = reference(image, CLASSES, THRESHOLD[family])
    assert agree(answer(twin, family, image), theirs)
    break_it(twin)
    assert not agree(answer(twin, family, image), theirs)


@pytest.mark.parametrize("family", ["omdet-turbo"], indirect=True, scope="module")
def test_omdet_turbo_reads_its_task(loaded: Loaded, reference: Reference, family: str) -> None:
    twin = OpenVocabulary(loaded, torch.device("cpu"))
    image = picture(1)
    twin._network.sentences = lambda labels: [*labels, "Detect."]
    assert not agree(answer(twin, family, image), reference(image, CLASSES, THRESHOLD[family]))


def _mixed() -> tuple[list[Image], list[Question]]:
    return [picture(seed, *size) for seed, size in enumerate(SIZES)], [
        asking("dog", box_threshold=0.1),
        asking(*CLASSES, box_threshold=0.3),
        asking("a red car in the rain", "dog", "cat", "person", "bus", box_threshold=0.2, nms_iou=0.4),
        asking("cat", "taxi", box_threshold=0.0),
    ]


def test_a_picture_gets_alone_what_it_gets_in_a_mixed_batch(detector: OpenVocabulary) -> None:
    images, asks = _mixed()
    together = detector.detect(images, asks)
    for image, ask, mixed in zip(images, asks, together, strict=True):
        (alone,) = detector.detect([image], [ask])
        assert len(alone) > 3
        assert agree(rows(alone), rows(mixed))


@pytest.mark.parametrize("family", ["omdet-turbo"], indirect=True, scope="module")
def test_zeros_for_missing_classes_would_change_omdet_turbos_answer(loaded: Loaded) -> None:
    """Why its adapter asks a short question its last class again."""
    detector = OpenVocabulary(loaded, torch.device("cpu"))
    images, asks = _mixed()
    (alone,) = detector.detect(images[:1], asks[:1])
    decoder = loaded.model.decoder.forward

    def with_zeros(seen: Any, classes: torch.Tensor, *rest: Any) -> Any:
        classes = classes.clone()
        for column, ask in enumerate(asks):
            classes[len(ask.classes) :, column] = 0
        return decoder(seen, classes, *rest)

    loaded.model.decoder.forward = with_zeros
    mixed = detector.detect(images, asks)[0]
    assert not agree(rows(alone), rows(mixed))


def test_thresholds_hold_by_class_and_a_box_has_one_label(detector: OpenVocabulary) -> None:
    image = picture(1)
    (everything,) = detector.detect([image], [asking("person", "dog", box_threshold=0.0)])
    assert len(everything) in {30, 36}  # every query
    assert [one.score for one in everything] == sorted((one.score for one in everything), reverse=True)
    middle = everything[len(everything) // 2].score
    (half,) = detector.detect([image], [asking("person", "dog", box_threshold=middle)])
    assert list(half) == [one for one in everything if one.score > middle]
    ask = Question(classes=(ClassSpec(phrase="person", box_threshold=1.0), ClassSpec(phrase="dog")), box_threshold=0.0)
    (dogs,) = detector.detect([image], [ask])
    assert {one.class_id for one in dogs} == {1}
    assert len(dogs) == len(everything), "where the best class falls short, the next one that passes takes the box"
    (strict_text,) = detector.detect([image], [asking("person", "dog", box_threshold=0.0, text_threshold=1.0)])
    assert strict_text == everything


def test_an_object_has_the_scores_of_all_classes_where_they_are_asked_for(detector: OpenVocabulary) -> None:
    """Beside a camera with more classes that does not ask for them."""
    scored = asking(*CLASSES[:2], box_threshold=0.0, class_scores=True)
    image = picture(3)
    found, others = detector.detect([image, image], [scored, asking(*CLASSES, box_threshold=0.0)])
    assert found
    for one in found:
        assert one.class_scores is not None
        assert one.score == max(score or 0.0 for score in one.class_scores) == one.class_scores[one.class_id]
        assert len(one.class_scores) == 2
    assert all(one.class_scores is None for one in others)


def test_overlaps_are_dropped_where_a_question_says_so(
    detector: OpenVocabulary, reference: Reference, family: str
) -> None:
    image, iou = picture(1), 0.2
    (everything,) = detector.detect([image], [asking("person", box_threshold=0.0)])
    (apart,) = detector.detect([image], [asking("person", box_threshold=0.0, nms_iou=iou)])
    assert apart
    assert set(apart) < set(everything)
    assert detector.detect([image], [asking("person", box_threshold=1.0, nms_iou=iou)]) == [()]
    if family == "omdet-turbo":  # OWLv2's post-processing keeps all
        assert agree(rows(apart, image), reference(image, ("person",), 0.0, iou))


def test_words_are_read_once_for_each_question(loaded: Loaded) -> None:
    detector = OpenVocabulary(loaded, torch.device("cpu"))
    read: list[Any] = []
    encode = detector._network.encode
    detector._network.encode = lambda *tokens: read.append(tokens) or encode(*tokens)
    for threshold in (0.1, 0.2):
        ask = asking("person", "dog", box_threshold=threshold)
        detector.detect([picture(1), picture(2)], [ask, ask])
    assert len(read) == 1
    assert detector._words.cache_info().maxsize == 256


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        (("person", "  "), "'  ' is empty"),
        (("person", "the <|endoftext|>"), "'the <|endoftext|>' has a special token"),
        (("person", "Person"), "'person' and 'Person' are the same"),
        (("person", "z" * 90), "'zzzz.*has 90 tokens"),
    ],
)
def test_a_question_that_the_model_cannot_read_names_its_class(
    detector: OpenVocabulary, classes: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(QuestionError, match=sentence.replace("|", r"\|")):
        detector.check(asking(*classes))
    with pytest.raises(QuestionError):
        detector.warm_up([asking("person"), asking(*classes)], [(64, 64)], 2)


def test_a_class_may_be_as_long_as_the_text_encoder(detector: OpenVocabulary, family: str) -> None:
    tokens = {"owlv2": 14, "omdet-turbo": 75}[family]
    assert detector.detect([picture(1)], [asking("z" * tokens, box_threshold=0.0)])[0]
    detector.check(asking("z" * tokens))
    with pytest.raises(QuestionError, match=f"{tokens + 1} tokens: the model reads {tokens}"):
        detector.check(asking("z" * (tokens + 1)))


def test_more_classes_than_the_task_has_room_for_are_all_asked(
    detector: OpenVocabulary, reference: Reference, family: str
) -> None:
    classes = tuple(f"{letter}{other}" for letter in "abcdefghij" for other in "klmnopqrst")
    image = picture(1)
    ours = answer(detector, family, image, classes)
    assert len({row[0] for row in ours}) > 1
    assert agree(ours, reference(image, classes, THRESHOLD[family]))


def test_warming_up_answers_each_question_once(loaded: Loaded) -> None:
    detector = OpenVocabulary(loaded, torch.device("cpu"))
    answered: list[Any] = []
    original = detector._network.answer
    detector._network.answer = lambda *inputs: answered.append(inputs) or original(*inputs)
    detector.warm_up([asking("person"), asking("dog")], [(64, 48), (32, 32)], 8)
    assert len(answered) == detector._words.cache_info().currsize == 2


def test_a_question_costs_one_pass_however_long_it_is(loaded: Loaded) -> None:
    detector = OpenVocabulary(loaded, torch.device("cpu"))
    passes: list[Any] = []
    original = detector._network.answer
    detector._network.answer = lambda *inputs: passes.append(inputs) or original(*inputs)
    for ask in (asking("person"), asking(*(f"{one}{two}" for one in "abcdefghij" for two in "klmnopqrst"))):
        passes.clear()
        detector.detect([picture(1)], [ask])
        assert len(passes) == detector.cost(ask) == 1


def test_pictures_of_all_sizes_share_a_shape(detector: OpenVocabulary, family: str) -> None:
    side = {"owlv2": checkpoints.OWLV2_SIDE, "omdet-turbo": checkpoints.OMDET_SIDE}[family]
    assert detector.input_shape(1920, 1080) == detector.input_shape(100, 700) == (side, side)


def test_the_model_is_the_folder_that_was_named(original: Loaded, detector: OpenVocabulary, family: str) -> None:
    assert detector.model is original.identity
    assert (original.family, detector.model.name) == (family, family)


def _no_tokenizer(loaded: Loaded) -> Loaded:
    return replace(loaded, processor=loaded.processor.image_processor)


def _another_tokenizer(loaded: Loaded) -> Loaded:
    loaded.model.config.text_config.vocab_size = 500
    return loaded


def _another_image_processor(loaded: Loaded) -> Loaded:
    loaded.processor.image_processor.size = {"shortest_edge": 64, "longest_edge": 128}
    return loaded


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_no_tokenizer, "no processor of both"),
        (_another_tokenizer, "no tokenizer that fits"),
        (_another_image_processor, "does not scale every picture to one size"),
    ],
)
def test_a_processor_that_does_not_fit_is_refused(
    loaded: Loaded, change: Callable[[Loaded], Loaded], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        OpenVocabulary(change(loaded), torch.device("cpu"))


@pytest.mark.parametrize("family", ["owlv2"], indirect=True, scope="module")
@pytest.mark.parametrize(("setting", "value"), [("do_pad", False), ("size", {"height": 64, "width": 64})])
def test_an_owlv2_processor_must_give_the_networks_own_square(loaded: Loaded, setting: str, value: Any) -> None:
    setattr(loaded.processor.image_processor, setting, value)
    with pytest.raises(ModelError, match="squares of 96 pixels"):
        OpenVocabulary(loaded, torch.device("cpu"))


def test_in_16_bits_the_boxes_are_nearly_the_same(original: Loaded, detector: OpenVocabulary, family: str) -> None:
    """bf16, which a CPU has too, with an eighth of the digits of the fp16 that CUDA gets. Queries that nearly tie may
    change places, and their boxes with them.
    """
    half = OpenVocabulary(original, torch.device("cpu"), torch.bfloat16)
    near, every = 0, 0
    for seed in range(6):
        image = picture(seed)
        mine, plain = answer(half, family, image), answer(detector, family, image)
        assert mine != plain, "nothing was computed in 16 bits"
        every += len(plain)
        near += sum(
            any(one[0] == other[0] and abs(one[1] - other[1]) < 0.05 and max_apart(one, other) < 8 for other in mine)
            for one in plain
        )
    print(f"{family}: {near} of {every} near")
    assert near >= 0.9 * every


def max_apart(one: Answer, other: Answer) -> float:
    """How many pixels two boxes differ at most."""
    return max(abs(a - b) for a, b in zip(one[2:], other[2:], strict=True))
