"""The gateway inside of a Starlette application: its routes use the documents, the whole API is mounted beside them.

.venv/bin/uv pip install starlette           # `make test` has done so
.venv/bin/python examples/in_starlette.py    # then: curl -d title=Mine http://127.0.0.1:8000/contracts
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from signalpost.api.http.problems import status_of
from signalpost.domain.errors import CallerError
from signalpost.gateway import Gateway
from signalpost.settings import Settings

PORT = int(os.environ.get("PORT", "8000"))
SETTINGS = Settings(
    data_dir=Path(os.environ.get("DATA_DIR", "signalpost-data")),
    public_url=f"http://127.0.0.1:{PORT}/gateway",  # links lead through the mount
)


@asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[None]:
    async with Gateway(SETTINGS) as gateway:
        application.state.documents = gateway.documents_of("default", name="my application")
        application.mount("/gateway", gateway.app)
        yield


async def create(request: Request) -> JSONResponse:
    form = await request.form()
    try:
        made = await request.app.state.documents.create(
            type="contract", title=str(form["title"]), owner_email="me@example.com", author_email="me@example.com"
        )
    except CallerError as refused:
        return JSONResponse({"detail": refused.detail}, status_of(refused))
    return JSONResponse({"id": made.external_id, "status": made.status}, 201)


app = Starlette(routes=[Route("/contracts", create, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    uvicorn.run(app, port=PORT)
