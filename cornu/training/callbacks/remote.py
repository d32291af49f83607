"""`RemoteMonitor`: the metrics of each epoch, sent to a server."""

import json
import urllib.error
import urllib.parse
import urllib.request

import numpy as np

from cornu.training.callbacks.callback import Callback
from cornu.training.data.faults import warn

TIMEOUT = 10  # seconds without an answer


class RemoteMonitor(Callback):
    """Send the metrics of each epoch to a server, by HTTP POST. A server that does not answer is a warning, and training goes on.

    Args:
        root: URL of the server.
        path: what comes after it.
        field: name of the form's field that holds the JSON text.
        headers: dictionary of HTTP headers.
        send_as_json: whether the JSON text is the body itself (`application/json`), rather than a field of a form.

    Raises:
        ValueError: a URL that is not of HTTP.
    """

    def __init__(self, root="http://localhost:9000", path="/publish/epoch/end/", field="data", headers=None, send_as_json=False):
        super().__init__()
        if not isinstance(root, str) or urllib.parse.urlsplit(root).scheme not in ("http", "https"):
            raise ValueError(f"RemoteMonitor: root must be a URL that begins with http:// or https://; got {root!r}.")
        for name, value in (("path", path), ("field", field)):
            if not isinstance(value, str):
                raise ValueError(f"RemoteMonitor: {name} must be a text; got {value!r}.")
        if headers is not None and not hasattr(headers, "items"):
            raise ValueError(f"RemoteMonitor: headers must be a dictionary; got {headers!r}.")
        self.root, self.path, self.field, self.headers, self.send_as_json = root, path, field, headers, send_as_json

    def on_epoch_end(self, epoch, logs=None):
        text = json.dumps({"epoch": epoch, **{name: _plain(value) for name, value in (logs or {}).items()}})
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        request = urllib.request.Request(self.root + self.path, body.encode(), {"Content-Type": kind, **dict(self.headers or {})}, method="POST")
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT).close()
        except (urllib.error.URLError, OSError) as error:
            warn(f"RemoteMonitor: {self.root}{self.path} did not take the metrics of epoch {epoch + 1}: {error}")
            if isinstance(error, urllib.error.HTTPError):
                error.close()


def _plain(value):
    return np.asarray(value).tolist() if hasattr(value, "__array__") else value
