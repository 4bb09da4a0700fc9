"""Kafka: can it be reached, what of its topics is wrong, what may we do there, what producers report of the cameras."""

import time
from collections.abc import Iterable, Iterator

from groundcam.doctor.finding import Finding, Weight
from groundcam_runtime.kafka.camera_statuses import camera_statuses
from groundcam_runtime.kafka.errors import KafkaProblem, RefusedError
from groundcam_runtime.kafka.topics import MIB, Look, TopicAdmin, wanted
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.settings import KafkaSettings, SettingError
from groundcam_runtime.topic_review import Remark
from groundcam_schemas import CameraState

NS = 1_000_000_000


def brokers(settings: KafkaSettings, group: str, roles: Iterable[Role]) -> Iterator[Finding]:
    """Look at everything that needs a connection; one that cannot be made is the only finding then."""
    try:
        admin = TopicAdmin(settings)
    except (KafkaProblem, SettingError) as problem:
        yield Finding("kafka", str(problem), Weight.WRONG)
        return
    try:
        who = f" as {settings.sasl_username}" if settings.sasl_username else ""
        yield Finding("kafka", f"{settings.bootstrap_servers} answers{who}, {settings.security_protocol}")
        specs = wanted(settings.topics, None, 4 * MIB, admin.partitions())
        look = admin.look([spec.name for spec in specs])
        yield from _topics(admin.review(specs, look), look)
        for role in roles:
            yield from _rights(admin, settings, group, role)
        members = admin.members(group)
        if members is not None:
            yield Finding("kafka", f"the group {group} has {members} member{'' if members == 1 else 's'}")
        if settings.topics.cameras in look.states:
            yield from _reported_cameras(settings)
    finally:
        admin.close()


def _topics(remarks: Iterable[Remark], look: Look) -> Iterator[Finding]:
    for remark in remarks:
        yield Finding("topics", f"{remark.topic}: {remark.text}", Weight(remark.weight))
    if look.missing:
        text = f"{', '.join(look.missing)}: missing; `groundcam topics ensure` creates them"
        yield Finding("topics", text, Weight.WRONG)
    if look.hidden:
        text = f"{', '.join(look.hidden)}: may not be seen by this client; `groundcam topics acls` prints the rights"
        yield Finding("topics", text, Weight.WRONG)


def _rights(admin: TopicAdmin, settings: KafkaSettings, group: str, role: Role) -> Iterator[Finding]:
    try:
        admin.require_rights(rights(role, settings.topics, group))
    except RefusedError as refused:
        yield Finding("rights", str(refused), Weight.WRONG)
    else:
        yield Finding("rights", f"those of a {role} are given")


def _reported_cameras(settings: KafkaSettings) -> Iterator[Finding]:
    """Look at the states that producers report, and at their clocks: one whose states begin in the future is ahead."""
    try:
        newest = {status.camera_id: status for status in camera_statuses(settings)}
    except KafkaProblem as problem:
        yield Finding("cameras", f"what producers report is not known: {problem}", Weight.HINT)
        return
    now_ns = time.time_ns()
    for name, status in sorted(newest.items()):
        since_s = (now_ns - status.since_ns) / NS
        if since_s < -1:
            text = f"{name}: its producer's clock is {-since_s:.0f} s ahead of this one"
            yield Finding("clock", text, Weight.WRONG)
        if status.twin:
            text = (
                f"{name}: two producers play it, {status.producer} and {status.twin}: stop one, or give it another id"
            )
            yield Finding("cameras", text, Weight.WRONG)
        if status.state is CameraState.ONLINE:
            yield Finding("cameras", f"{name}: online, as its producer reports")
        else:
            why = f" ({status.last_error})" if status.last_error else ""
            since = f"{why} for {max(0.0, since_s):.0f} s"
            text = f"{name}: {status.state.value}{since}, as its producer reports: see its log"
            yield Finding("cameras", text, Weight.HINT)
