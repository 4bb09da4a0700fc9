"""Clients that ask a service for a while, as fast as they get answers: a process of its own, figures as JSON.

python -m serve_load PORT SECONDS CLIENTS TIMEOUT_S
"""

import json
import sys
import threading
import time
from collections import Counter

from footage import jpeg
from serve_client import Client, together

IMPATIENCE_S = 0.25
"""Whoever is refused comes again so soon, long before it was told to."""


def main() -> None:
    port, seconds, clients, timeout_s = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    pause = threading.Event()
    picture, until = jpeg(1, 64, 48), time.monotonic() + seconds
    statuses, took, without_retry = Counter[int](), list[float](), list[int]()

    def ask(_number: int) -> None:
        client = Client(port, timeout_s=timeout_s + 20)
        while time.monotonic() < until:
            began = time.monotonic()
            answer = client.detect(picture, "person", timeout_s=timeout_s)
            statuses[answer.status] += 1
            if answer.status in {200, 504}:
                took.append(time.monotonic() - began)
            elif answer.status == 503:
                if int(answer.headers.get("retry-after", "0")) < 1:
                    without_retry.append(answer.status)
                pause.wait(IMPATIENCE_S)

    together(ask, clients, clients)
    took.sort()
    figures = {
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "p50_s": took[len(took) // 2] if took else None,
        "p99_s": took[int(len(took) * 0.99)] if took else None,
        "without_retry_after": len(without_retry),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
