"""`groundcam size`"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from groundcam.durations import duration
from groundcam.sizing import Load, Need, need
from groundcam.sizing_events import EventsNeed
from groundcam_producers.settings import ProduceSettings
from groundcam_runtime.settings import SettingError

MOST_SHARE = 0.9
"""That work.request_share may be."""
GB = 1e9
MB = 1e6


def size(
    cameras: Annotated[int, typer.Option(min=0, help="How many cameras; 0 with --requests-per-s alone.")],
    detector_ms: Annotated[
        float,
        typer.Option(min=0.01, metavar="MS", help="What the detector takes for a frame, in full batches."),
    ],
    fps: Annotated[float, typer.Option(min=0.001, help="Frames a second to look at, of each camera.")] = 5.0,
    camera_size: Annotated[str, typer.Option(metavar="WxH", help="What the cameras send.")] = "1920x1080",
    camera_fps: Annotated[float, typer.Option(min=0.1, help="Frames a second that they send.")] = 25.0,
    frame_size: Annotated[str, typer.Option(metavar="WxH", help="What is put on Kafka.")] = "960x540",
    jpeg_kb: Annotated[
        float | None, typer.Option(min=1, metavar="KB", help="Of a frame.", show_default="by its size")
    ] = None,
    utilization: Annotated[float, typer.Option(min=0.05, max=1, help="How busy detectors are to be.")] = 0.7,
    replication: Annotated[int, typer.Option(min=1, max=16, help="Copies of each frame on Kafka.")] = 3,
    retention_s: Annotated[
        float, typer.Option(parser=duration(1), metavar="TIME", help="Of frames on Kafka.", show_default="600s")
    ] = 600.0,
    requests_per_s: Annotated[
        float, typer.Option(min=0, metavar="N", help="Pictures a second over HTTP (groundcam serve), besides.")
    ] = 0.0,
    request_size: Annotated[str, typer.Option(metavar="WxH", help="Of a picture over HTTP.")] = "1920x1080",
    objects_per_camera: Annotated[
        float, typer.Option(min=0, metavar="N", help="Objects to follow at a time, of each camera (groundcam track).")
    ] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say how many workers, partitions, cores and bytes a set of cameras needs.

    What the detector takes on your GPU is what your workers measure: groundcam_detector_seconds_sum divided by
    groundcam_batch_frames_sum. The other constants were measured on two cores; the operator's guide says how. What the
    HTTP service and trackers take is an estimate on the safe side.
    """
    load = Load(
        cameras, fps, detector_ms / 1000, camera_fps, _pixels("--camera-size", camera_size),
        _pixels("--frame-size", frame_size), utilization, replication, retention_s,
        None if jpeg_kb is None else jpeg_kb * 1000, requests_per_s, _pixels("--request-size", request_size),
        objects_per_camera,
    )  # fmt: skip
    try:
        found = need(load)
    except ValueError as error:
        raise SettingError(str(error)) from None
    print(json.dumps(asdict(found)) if as_json else text(found, load))


def text(found: Need, load: Load) -> str:
    """Return a table for people."""
    each = found.worker_cores / found.workers
    kept = "frames and requests" if load.requests_per_s else "frames"
    lines = {
        "frames": f"{found.frames_per_s:.4g} a second",
        "workers": f"{found.workers}, each with its detector busy {found.busy:.0%} of the time",
        **_of_one_camera(found, load),
        "partitions": f"{found.partitions} (groundcam topics ensure --partitions {found.partitions})",
        "worker CPU": f"{found.worker_cores:.2f} cores in all, {each:.2f} each, besides what the model's process needs",
        "producers": f"{found.producer_cores:.1f} cores, {found.producer_bytes / GB:.1f} GB of memory in all;"
        f" all cameras are up after {found.producer_start_s:.0f} s",
        "into Kafka": f"{found.frames_bytes_per_s / MB:.1f} MB/s of frames, {found.answers_bytes_per_s / MB:.2f} MB/s"
        " of answers, before copies",
        **_of_requests(found, load),
        **_of_events(found.events, load),
        "Kafka's disks": f"{found.kafka_disk_bytes / GB:.1f} GB of {kept} ({load.retention_s:.0f} s,"
        f" {load.replication} {'copy' if load.replication == 1 else 'copies'})",
    }
    return "\n".join(f"{name:14s} {value}" for name, value in lines.items())


def _of_one_camera(found: Need, load: Load) -> dict[str, str]:
    """Return a line where a camera alone is too much."""
    if found.camera_share <= load.utilization:
        return {}
    return {
        "a camera": f"keeps a detector busy {found.camera_share:.0%} of the time, and one worker alone reads it: its"
        f" frames are skipped beyond {load.utilization / load.detector_s:.2g} a second, however many workers there are"
    }


def _of_requests(found: Need, load: Load) -> dict[str, str]:
    """Return the lines about the HTTP service, if there is to be one."""
    if not load.requests_per_s:
        return {}
    share = min(MOST_SHARE, found.request_share)
    asked = f"{load.requests_per_s:.4g} a second, {found.requests_bytes_per_s / MB:.1f} MB/s into Kafka"
    if load.cameras:
        asked += f", {found.request_share:.0%} of the detectors' work: set work.request_share to {share:.2g} or more"
    each = "a core" if found.serve_replicas == 1 else "a core each"
    return {"over HTTP": asked, "serve": f"{found.serve_replicas}, {each} (not measured: on the safe side)"}


def _of_events(found: EventsNeed, load: Load) -> dict[str, str]:
    """Return the lines about trackers, if there are to be any."""
    if not found.trackers:
        return {}
    each = "" if found.trackers == 1 else " each"
    return {
        "trackers": f"{found.trackers}, {found.cores:.2g} cores in all, {found.tracker_bytes / MB:.0f} MB of memory"
        f"{each}, for {load.objects_per_camera:g} objects of each camera (estimated)",
        "events": f"{found.events_per_s:.3g} a second; into Kafka {found.events_bytes_per_s / MB:.2f} MB/s of events"
        f" and {found.states_bytes_per_s / MB:.2f} MB/s of states (estimated)",
        "best pictures": f"{found.pictures_per_day:,.0f} a day, {found.pictures_bytes_per_day / GB:,.1f} GB; with"
        f" events {found.kafka_disk_bytes / GB:,.0f} GB on Kafka's disks in a week, with copies (estimated)",
    }


def _pixels(option: str, text: str) -> int:
    """Return width times height. Raises SettingError."""
    try:
        size = ProduceSettings.model_validate({"max_size": text}).max_size
    except ValueError:
        size = None
    if size is None:
        raise SettingError(f"{option}: {text!r} is not like 960x540")
    return size[0] * size[1]
