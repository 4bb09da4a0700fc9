"""What a user of Roboflow Inference runs: plain requests, read by supervision. Prints what it got as JSON.

Arguments: the service's address, the body's other fields as JSON, and pictures.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import requests
import supervision as sv

url, more, *paths = sys.argv[1:]
images = [{"type": "base64", "value": base64.b64encode(Path(path).read_bytes()).decode()} for path in paths]
answer = requests.post(
    f"{url}/grounding_dino/infer",
    json={"image": images[0] if len(images) == 1 else images, **json.loads(more)},
    timeout=60,
)
found: dict[str, Any] = {"status": answer.status_code, "answer": answer.json()}
if answer.ok:
    results = answer.json() if isinstance(answer.json(), list) else [answer.json()]
    read = [sv.Detections.from_inference(one) for one in results]
    found["boxes"] = [one.xyxy.tolist() for one in read]
    found["scores"] = [one.confidence.tolist() for one in read]
    found["class_ids"] = [one.class_id.tolist() for one in read]
    found["names"] = [one.data["class_name"].tolist() for one in read]
print(json.dumps(found))
