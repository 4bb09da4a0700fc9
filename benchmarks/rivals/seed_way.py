"""The same model behind FastAPI as it is done first: transformers' own processor and model, one picture a call.

python seed_way.py PORT MODEL
"""

import io
import sys
import threading

import torch
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

LOCK = threading.Lock()


class Detector:
    """One picture and one question at a time."""

    def __init__(self, folder: str) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()

    def detect(self, pictures: list[Image.Image], texts: list[str]) -> list[list[dict[str, object]]]:
        """Return what is found in each."""
        inputs = self.processor(images=pictures, text=texts, return_tensors="pt", padding=True)
        with torch.inference_mode():
            outputs = self.model(**inputs)
        sizes = [picture.size[::-1] for picture in pictures]
        found = self.processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=0.3, text_threshold=0.3, target_sizes=sizes
        )
        return [
            [
                {"label": label, "score": float(score), "box": [float(side) for side in box]}
                for label, score, box in zip(one["text_labels"], one["scores"], one["boxes"], strict=True)
            ]
            for one in found
        ]


def caption(question: str) -> str:
    """Return the question as the model was trained: `red circle. blue square.`"""
    return " ".join(f"{one.strip()}." for one in question.split(","))


def picture_of(data: bytes) -> Image.Image:
    """Return the picture as RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def main() -> None:
    """Serve until killed."""
    detector = Detector(sys.argv[2])
    app = FastAPI()

    @app.post("/detect")
    async def detect(request: Request, question: str) -> list[dict[str, object]]:
        data = await request.body()

        def work() -> list[dict[str, object]]:
            with LOCK:
                return detector.detect([picture_of(data)], [caption(question)])[0]

        from starlette.concurrency import run_in_threadpool

        return await run_in_threadpool(work)

    @app.get("/readyz")
    def ready() -> str:
        return "ok"

    uvicorn.run(app, port=int(sys.argv[1]), log_level="error")


if __name__ == "__main__":
    main()
