"""
For containers: ``python -m deploy.healthcheck PORT`` exits 0 if the process on that loopback port is ready, else 1.
"""

import http.client
import sys


def ready(port: int, timeout: float = 3.0) -> bool:
    """
    Does ``/readyz`` answer 200 in time?
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready(int(sys.argv[1])) else 1)
