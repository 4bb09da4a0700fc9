"""What can go wrong with Kafka, by cause.

KafkaProblem               one sentence for the user; exit code 3
 +- UnreachableError       nobody answers at the address
 +- RefusedError           somebody answers, and refuses: password, certificate, permission
 +- TopicError             a topic is missing, or is set up so that we cannot work with it
 +- SourceLostError        the consumer has failed or was fenced: exit; exit code 1
 +- TransactionLostError   a transaction of unknown outcome, or a fenced transactional id: exit
"""

import logging

# In the client's name, so that the log's filter counts it among the client's own lines: one a minute in all.
chatter = logging.getLogger("kafka.groundcam")


class KafkaProblem(RuntimeError):  # noqa: N818 - the tree's root names the subject, its leaves are errors
    """Base of everything that is wrong with the broker rather than with a setting."""


class UnreachableError(KafkaProblem):
    """No broker answers."""


class RefusedError(KafkaProblem):
    """The broker refuses us: wrong password, certificate or permission."""


class TopicError(KafkaProblem):
    """A topic does not exist, or does not fit."""


class SourceLostError(KafkaProblem):
    """The consumer can deliver no more records; a new process may go on."""


class TransactionLostError(KafkaProblem):
    """Only a new process, which reads what was committed, knows how to go on."""
