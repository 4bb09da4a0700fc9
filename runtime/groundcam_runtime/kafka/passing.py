"""Which failures of the client end by themselves."""

import kafka.errors

from groundcam_runtime.kafka.errors import chatter


def is_passing(error: kafka.errors.KafkaError) -> bool:
    """Whether a call of the client failed for something that ends by itself; it is noted in the log.

    `poll` raises when a broker or its coordinator goes away, though mostly it waits in silence; and a refused
    login may be a password that is being changed.
    """
    passing = bool(error.retriable) or isinstance(error, kafka.errors.SaslAuthenticationFailedError)
    if passing:
        chatter.warning("%s", error)
    return passing
