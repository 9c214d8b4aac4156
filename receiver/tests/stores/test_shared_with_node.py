"""The kit for Node says the same to databases, so that receivers in both languages can share one. The scripts for Redis
are in one file for both."""

from pathlib import Path

from signalpost_receiver.stores import sql

NODE = Path(__file__).parents[3] / "receiver-node" / "src"


def test_both_kits_run_the_same_statements_in_sql() -> None:
    in_node = (NODE / "sql_statements.ts").read_text(encoding="utf-8")
    named = [value for name, value in vars(sql).items() if name.startswith("_") and name.isupper()]
    statements = [value for value in named if isinstance(value, str)]
    assert len(statements) > 10
    for statement in (*sql.TABLES, *sql._PRUNE, *statements):
        assert f"`{statement}`" in in_node or f'"{statement}"' in in_node
