"""The gateway inside of a program: documents without HTTP. Runs for a second, in a folder that it removes again.

.venv/bin/python examples/embedded.py
"""

import asyncio
import logging
import tempfile
from pathlib import Path

from signalpost.domain.errors import Invalid
from signalpost.gateway import Gateway
from signalpost.settings import Settings


async def main(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, public_url="http://127.0.0.1:8080")  # download links begin with it
    async with Gateway(settings) as gateway:
        contract = await gateway.documents.create(
            type="NDA", title="Mutual NDA", owner_email="owner@example.com", author_email="author@example.com"
        )
        print(f"created {contract.external_id}: {contract.title!r}, {contract.status}")

        changed = await gateway.documents.patch(contract.external_id, contract_value=1500.0, title="Mutual NDA, signed")
        print(f"changed: {changed.title!r}, worth {changed.contract_value}")

        number = await gateway.documents.upload(contract.external_id, b"%PDF-1.7 its text", publish=True)
        latest = (await gateway.documents.read(contract.external_id)).latest_version
        assert latest is not None
        print(f"uploaded version {number}: {latest.download_url.partition('/files/')[0]}/files/…")

        try:
            await gateway.documents.patch(contract.external_id, owner_email="nobody")
        except Invalid as invalid:
            print(f"refused: {invalid.errors[0].pointer}: {invalid.errors[0].detail}")

        await gateway.documents.delete(contract.external_id)
        print("deleted")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # the gateway logs as `signalpost`
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
