"""The web layer as a pod runs it, with one endpoint more that takes the same body and does nothing."""

import sys
from typing import Any

from app.web import __main__ as web_layer
from app.web.api import create_api as create_whole_api
from app.web.bodies import TaskBody


def create_api(*args: Any, **options: Any) -> Any:
    """The web layer's own, and `POST /noop`."""
    api = create_whole_api(*args, **options)

    @api.post("/noop", status_code=202)
    def noop(body: TaskBody) -> dict[str, str]:
        return {"id": "", "queue": ""}

    return api


if __name__ == "__main__":
    vars(web_layer)["create_api"] = create_api
    sys.exit(web_layer.main())
