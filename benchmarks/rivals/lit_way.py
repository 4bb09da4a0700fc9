"""The same model on LitServe, with its own batching.

python lit_way.py PORT MODEL
"""

import sys
from typing import Any

import litserve
from fastapi import Request
from seed_way import Detector, caption, picture_of

BATCH = 8


class Api(litserve.LitAPI):  # type: ignore[misc,unused-ignore]
    """A picture and a question to boxes."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - their signature
        """Load the model."""
        self.detector = Detector(sys.argv[2])

    def decode_request(self, request: Request) -> tuple[Any, str]:  # they give the form itself
        """Read a form."""
        return picture_of(request["image"].file.read()), caption(request["question"])

    def predict(self, some: Any) -> Any:
        """Answer a batch."""
        pictures, texts = zip(*some, strict=True)
        return self.detector.detect(list(pictures), list(texts))

    def encode_response(self, output: Any) -> Any:
        """As it is."""
        return output


def main() -> None:
    """Serve until killed."""
    server = litserve.LitServer(
        Api(max_batch_size=BATCH, batch_timeout=0.01, api_path="/detect"), accelerator="cpu", timeout=60
    )
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="error")


if __name__ == "__main__":
    main()
