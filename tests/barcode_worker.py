"""`groundcam work --model fake` whose detector reads the number in a picture, and puts its box where that says.

A picture of `barcode_film.py` has its number as a bar code; the box has the same number in its place. So whoever sees a
picture and a box together can tell whether they are of one frame.
"""

from collections.abc import Sequence

from barcodes import box_of, read_bars
from groundcam.__main__ import main
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Question
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.detectors.protocol import Detection


def detect(
    self: FakeDetector, images: Sequence[Image], questions: Sequence[Question]
) -> Sequence[tuple[Detection, ...]]:
    self._sleep(self._seconds_per_image * len(images))
    del questions
    found = []
    for image in images:
        height, width = image.shape[:2]
        x1, y1, x2, y2 = box_of(read_bars(image))
        found.append((Detection(0, 0.9, (x1 * width, y1 * height, x2 * width, y2 * height)),))
    return found


FakeDetector.detect = detect  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
