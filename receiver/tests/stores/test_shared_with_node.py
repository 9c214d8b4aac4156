"""The kit for Node says the same to databases, so that receivers in both languages can share one."""

from pathlib import Path

from signalpost_receiver.stores import redis, sql

NODE = Path(__file__).parents[3] / "receiver-node" / "src"


def test_both_kits_run_the_same_scripts_in_redis() -> None:
    in_node = (NODE / "redis_scripts.ts").read_text(encoding="utf-8")
    for script in (redis._COMMON, *redis._SCRIPTS.values()):
        assert f"`{script}`" in in_node


def test_both_kits_run_the_same_statements_in_sql() -> None:
    in_node = (NODE / "sql_statements.ts").read_text(encoding="utf-8")
    named = [value for name, value in vars(sql).items() if name.startswith("_") and name.isupper()]
    statements = [value for value in named if isinstance(value, str)]
    assert len(statements) > 10
    for statement in (*sql.TABLES, *sql._PRUNE, *statements):
        assert f"`{statement}`" in in_node or f'"{statement}"' in in_node
