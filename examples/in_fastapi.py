"""The gateway inside of a FastAPI application: its routes use the documents, and the whole API is mounted beside them.

.venv/bin/uv pip install fastapi             # `make test` has done so
.venv/bin/python examples/in_fastapi.py      # then: curl -d title=Mine http://127.0.0.1:8000/contracts
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Form, HTTPException, Request

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
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    async with Gateway(SETTINGS) as gateway:
        application.state.documents = gateway.documents_of("default", name="my application")
        application.mount("/gateway", gateway.app)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/contracts", status_code=201)
async def create(request: Request, title: Annotated[str, Form()]) -> dict[str, str]:
    try:
        made = await request.app.state.documents.create(
            type="contract", title=title, owner_email="me@example.com", author_email="me@example.com"
        )
    except CallerError as refused:
        raise HTTPException(status_of(refused), refused.detail) from None
    return {"id": made.external_id, "status": made.status}


if __name__ == "__main__":
    uvicorn.run(app, port=PORT)
