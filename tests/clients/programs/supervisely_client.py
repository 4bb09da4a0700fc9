"""What a user of Supervisely's SDK runs. Prints what it got as JSON.

Arguments: the service's address, what to do, a picture or a folder, settings as JSON, and a key if there is one.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import requests
import supervisely as sly
from supervisely.nn.inference.session import SessionJSON
from supervisely.nn.model.model_api import ModelAPI
from supervisely.nn.model.prediction import Prediction

url, action, path, settings_text, *keys = sys.argv[1:]
settings = json.loads(settings_text)
sleeps: list[float] = []
really_sleep = time.sleep


def sleep(seconds: float) -> None:
    sleeps.append(seconds)
    really_sleep(seconds)


time.sleep = sleep
api = sly.Api(server_address=url, token=keys[0]) if keys else None
model = ModelAPI(api=api, url=url)


def plain(one: Prediction) -> dict[str, Any]:
    return {
        "boxes": one.boxes.tolist(), "scores": [float(score) for score in one.scores], "classes": one.classes,
        "class_ids": one.class_idxs.tolist(), "size": list(one.annotation.img_size), "path": one.path,
    }  # fmt: skip


def predict() -> list[dict[str, Any]]:
    return [plain(one) for one in model.predict(input=path, show_progress=False, **settings)]


def first_and_stop() -> list[dict[str, Any]]:
    with model.predict_detached(input=path, **settings) as session:
        uuid = session.inference_request_uuid
        first = plain(next(session))
    state = {"state": {"inference_request_uuid": uuid}}
    return [first, {"after": requests.post(f"{url}/get_inference_status", json=state, timeout=60).status_code}]


def ask() -> dict[str, Any]:
    return {
        "is_deployed": model.is_deployed(), "info": model.get_info(), "settings": model.get_settings(),
        "tracking": model.get_tracking_settings(), "classes": model.get_classes(), "status": model.status(),
        "models": model.list_pretrained_models(), "infos": model.list_pretrained_model_infos(),
    }  # fmt: skip


def session() -> dict[str, Any]:
    old = SessionJSON(sly.Api(server_address=url, token="any"), session_url=url, inference_settings=settings)
    paths = sorted(map(str, Path(path).iterdir()))
    return {"one": old.inference_image_path(paths[0]), "all": old.inference_image_paths(paths)}


try:
    result: Any = {"predict": predict, "first_and_stop": first_and_stop, "ask": ask, "session": session}[action]()
except (requests.RequestException, RuntimeError) as error:
    result = {"error": str(error)}
print(json.dumps({"result": result, "sleeps": sleeps}))
