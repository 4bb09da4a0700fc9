"""Wire the notifier together and run it until it is asked to stop."""

import logging
import threading
from contextlib import ExitStack

from groundcam_events.notify.credentials import read_credentials
from groundcam_events.notify.health import probes
from groundcam_events.notify.hook import Hook, Outcome
from groundcam_events.notify.metrics import NotifyMetrics
from groundcam_events.notify.notifier import Notifier
from groundcam_events.notify.pictures import Pictures
from groundcam_events.notify.settings import NotifySettings
from groundcam_runtime.health import HealthServer
from groundcam_runtime.kafka.beginning import begin_at_the_end
from groundcam_runtime.kafka.connect import require_crc32c
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.kafka.source import GroupSource
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.settings import HttpSettings, KafkaSettings, SettingError
from groundcam_schemas.limits import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

SESSION_S = 10.0
MOST_RECORDS, MOST_BYTES = 1000, 8 * 1024 * 1024
WAITING_BYTES = 8 * 1024 * 1024
HEADROOM = 16 * 1024
LEAVE_S = 5.0


def run(
    settings: NotifySettings,
    kafka: KafkaSettings,
    http: HttpSettings,
    version: str,
    stop: threading.Event,
    wake: threading.Event,
) -> None:
    """Deliver events until `stop` is set, which sets `wake`, too. Raises KafkaProblem and SettingError."""
    require_crc32c()
    if not settings.hooks:
        raise SettingError("notify.hooks: there is none, so nobody could be told of anything")
    where = {name: read_credentials(name, one).address.shown for name, one in settings.hooks.items()}
    topics, group = kafka.topics, settings.group
    attaching = any(one.picture == "attach" for one in settings.hooks.values())
    metrics = NotifyMetrics(version)
    metrics.hooks(iter(settings.hooks))
    begun: list[Notifier] = []
    hooks: dict[str, Hook] = {}
    about = {"notifier": {"version": version, "group": group, "kafka": kafka.bootstrap_servers}}
    with ExitStack() as stack:
        watch = TopicWatch(kafka, [topics.events, topics.undelivered])
        state = probes(lambda: begun[0] if begun else None, hooks, about, lambda: watch.refusal)
        health = stack.enter_context(HealthServer(http.host, http.port, metrics, state, http.names))
        if health.port:
            log.info("metrics and health on http://%s:%d", http.host, health.port)
        _require(kafka, group)
        stack.enter_context(watch)
        if begin_at_the_end(kafka, group, [topics.events]):
            log.info("the group %s is new: it begins with the next event", group)
        pictures = Pictures(kafka) if attaching else None
        if pictures:
            stack.callback(pictures.close)
            pictures.start()
        publisher = Publisher(
            kafka, max_waiting_bytes=WAITING_BYTES, max_record_bytes=MAX_MESSAGE_BYTES + HEADROOM,
            client_id="groundcam-notify", on_change=wake.set,
        )  # fmt: skip
        stack.callback(publisher.close)
        source = GroupSource(
            kafka, [topics.events], group_id=group, max_records=MOST_RECORDS, max_bytes=MOST_BYTES,
            session_timeout_s=SESSION_S, on_event=wake.set,
        )  # fmt: skip
        notifier = Notifier(settings.hooks, hooks, source, publisher, topics.undelivered, metrics, wake)

        def done(outcome: Outcome) -> None:
            notifier.outcomes.append(outcome)
            wake.set()

        hooks |= {name: Hook(name, one, metrics, pictures, done) for name, one in settings.hooks.items()}
        metrics.watch(lambda: {name: hook.queued for name, hook in hooks.items()}, lambda: notifier.unsettled)
        for hook in hooks.values():
            hook.start()
        begun.append(notifier)
        for name, address in where.items():
            log.info("webhook %s at %s", name, address)
        source.start()
        while not stop.is_set():
            if source.failure:
                raise KafkaProblem(source.failure)
            notifier.turn()
        _leave(notifier, hooks)


def _leave(notifier: Notifier, hooks: dict[str, Hook]) -> None:
    """What is on its way is waited for a little; what still waits is left to the next notifier."""
    log.info("stopping: waiting for what is on its way")
    notifier.source.pause()
    leaving = [threading.Thread(target=hook.close, args=(LEAVE_S,), daemon=True) for hook in hooks.values()]
    for thread in leaving:
        thread.start()
    for thread in leaving:
        thread.join()
    notifier.finish(LEAVE_S)
    if not notifier.source.close(LEAVE_S):
        log.warning("the group could not be left in time")


def _require(kafka: KafkaSettings, group: str) -> None:
    """Raise KafkaProblem where something that it cannot do without is not there, or not permitted."""
    admin = TopicAdmin(kafka)
    try:
        admin.require_rights(rights(Role.NOTIFIER, kafka.topics, group))
        admin.require([kafka.topics.events, kafka.topics.undelivered])
    finally:
        admin.close()
