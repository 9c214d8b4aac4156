"""Vaults without a database."""

import os

from signalpost.store.vault import KEY_BYTES, SEALING, SEALS_AT_ONCE, DataKey, MasterKeys, Vault


def data_key(masters: MasterKeys, number: int, tenant_id: int) -> DataKey:
    return masters.wrap(os.urandom(KEY_BYTES), DataKey(number, SEALING, tenant_id, "", b"", 0))


def vault_for(*tenants: int, master_key: bytes = bytes(KEY_BYTES)) -> Vault:
    """A vault that can seal for these tenants."""
    masters = MasterKeys([master_key])
    vault = Vault(masters)
    for number, tenant_id in enumerate(tenants, 1):
        vault.seal_with(data_key(masters, number, tenant_id), SEALS_AT_ONCE)
    return vault
