"""The `sql` kind: SQLite, a real PostgreSQL and a real MariaDB, asked well and badly."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from sentinel.expression import compile_expression
from sentinel.probers import sql as sql_module
from sentinel.probers.sql import Sql
from sentinel.probers.sqlrows import MOST_ROWS
from sentinel.probers.sqlurl import DatabaseUrl, database_url
from sentinel.transport.curl import Transport
from sentinel.words import Outcome
from tests.children import wait_for
from tests.conftest import program
from tests.hostile.acts import Hear, Hold, Say, acting
from tests.hostile.handshakes import encrypted
from tests.hostile.wire_cases import BEGUN, COLUMN, DECLARED, LET_IN, ROW
from tests.probers.documents import shown
from tests.store.postgres_server import Server
from tests.transport import certificates
from tests.transport.servers import observed, serving, silent

ORDERS = [
    "create table orders (id integer, state varchar(20), total numeric(10,2))",
    "insert into orders values (1, 'new', 9.90), (2, 'new', 20), (3, 'paid', 5)",
]
WRITING = """create function add_order() returns int modifies sql data
begin insert into orders values (9, 'x', 1); return 1; end"""
WAITING = "select count(*) as waiting, sum(total) as total from orders where state = 'new'"


def check(url, query=WAITING, *, seconds=10.0, needed="", **fields):
    async def main():
        async with Transport() as transport:
            prober = Sql(url=url, query=query, **fields)
            return await observed(
                prober, transport, seconds=seconds, needed=needed, PASSWORD="p@ss/w:rd#%"
            )

    return asyncio.run(main())


def holds(source, observation):
    return compile_expression(source, Sql.NAMES).evaluate(observation.values)


@pytest.fixture
def shop(tmp_path):
    """A SQLite file of orders; its URL."""
    file = tmp_path / "shop #1.db"
    with sqlite3.connect(file) as connection:
        for statement in ORDERS:
            connection.execute(statement)
    connection.close()
    return f"sqlite://{quote(str(file))}"


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL with the same orders."""
    server = Server()
    for statement in ORDERS:
        server._run(statement)
    server._run("create role monitor login password 'p@ss/w:rd#%'")
    server._run("grant select on orders to monitor")
    server.folder_url = "postgresql://{user}@" + quote(str(server._folder / "data"), safe="")
    yield server
    server.remove()


@pytest.fixture(scope="module")
def postgres_url(postgres):
    return postgres.folder_url.format(user="postgres") + "/postgres"


def _for_mysql(path):
    """Root's MariaDB runs as its own user, who must be able to read it."""
    path.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(path, "mysql")


@pytest.fixture(scope="module")
def mariadb():
    """A MariaDB with the same orders; its port. Its user `monitor` may read them."""
    folder = Path(tempfile.mkdtemp(prefix="sentinel-mariadb-"))
    _for_mysql(folder)
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={folder}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    copied = {part: folder / part for part in ("cert", "key")}
    for part, suffix in (("cert", "pem"), ("key", "key")):
        shutil.copy(certificates.folder() / f"good.{suffix}", copied[part])
        _for_mysql(copied[part])
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [
            program("mariadb-server"),
            "--no-defaults",
            "--user=mysql",
            f"--datadir={folder}/data",
            f"--socket={folder}/s",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            *(f"--ssl-{part}={copied[part]}" for part in copied),
        ],
        stdout=log,
        stderr=log,
    )
    client = ["mariadb", "--no-defaults", f"--socket={folder}/s", "-u", "root"]
    statements = [
        "create database shop",
        "use shop",
        *ORDERS,
        "create user monitor identified by 'p@ss/w:rd#%'",
        "grant select on shop.* to monitor",
        "delimiter //\n" + WRITING + "//\n",
    ]
    try:
        wait_for((folder / "s").exists, 30)
        subprocess.run(
            client, input=";\n".join(statements).encode(), check=True, capture_output=True
        )
        yield port
    finally:
        server.terminate()
        server.wait(20)
        log.close()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def database(request):
    """The same orders in each database."""
    return request.getfixturevalue("shop" if request.param == "sqlite" else "postgres_url")


def test_the_first_row_is_looked_at_by_name(database):
    observation = check(database)

    assert (None, "") == (observation.outcome, observation.reason)
    assert holds("value == 2 && row.waiting == 2 && row.total > 29.8", observation)
    assert holds("count == 1 && rows[0].waiting == 2 && !truncated", observation)
    assert "1 row: waiting = 2, total = 29.9" == observation.text
    assert {"row.waiting": 2.0, "row.total": 29.9} == {
        each.name: each.value for each in observation.samples if each.name.startswith("row.")
    }
    assert {"waiting": 2, "total": 29.9} == observation.metrics["probe_sql_value"]
    assert ["connect", "query"] == list(observation.phases)
    assert set(observation.metrics) == {family.name for family in Sql.METRICS}


@pytest.mark.parametrize(
    ("needed", "reason"), [("value", "no_rows"), ("row", "no_rows"), ("count", "")]
)
def test_no_row_is_a_reason_only_where_a_row_is_named(shop, needed, reason):
    assert reason == check(shop, "select id from orders where id = 9", needed=needed).reason


def test_rows_are_cut(database):
    many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) select i from n"
    observation = check(database, many)

    assert ("", MOST_ROWS, True) == (
        observation.reason,
        observation.values["count"],
        observation.values["truncated"],
    )


def test_a_long_text_is_cut(shop):
    observation = check(shop, "select printf('%.*c', 500000, 'x') as long, 1 as one")

    assert 16 * 1024 == len(observation.values["row"]["long"])


@pytest.mark.parametrize(
    "query",
    [
        "delete from orders",
        "insert into orders values (9, 'x', 1)",
        "create table more (id integer)",
        "select 1; delete from orders",
        "select 1; commit; delete from orders",
        "commit; delete from orders",
    ],
)
def test_nothing_can_be_changed(database, query):
    observation = check(database, query)

    assert observation.reason in ("write_refused", "query_failed")
    assert 3 == check(database, "select count(*) from orders").values["value"]


@pytest.mark.slow
def test_a_query_that_writes_by_a_function_is_unknown(postgres, postgres_url):
    postgres._run("create sequence if not exists numbers")
    observation = check(postgres_url, "select nextval('numbers')")

    assert (Outcome.unknown, "write_refused") == (observation.outcome, observation.reason)
    assert "25006" == observation.evidence.facts["code"]


def test_sqlite_writes_no_other_file(shop, tmp_path):
    for query in (f"vacuum into '{tmp_path}/copy.db'", f"attach '{tmp_path}/new.db' as new"):
        assert "" != check(shop, query).reason
    assert ["shop #1.db"] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize("kind", ["outfile", "DUMPFILE"])
def test_mysql_is_not_asked_to_write_a_file(kind):
    observation = check("mysql://u@127.0.0.1:1/shop", f"select 1 into {kind} '/tmp/x'")

    assert (Outcome.unknown, "write_refused") == (observation.outcome, observation.reason)


ENDLESS = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "postgresql": "select pg_sleep(60)",
}


def test_a_query_that_does_not_end_is_ended(database):
    started = time.monotonic()
    observation = check(database, ENDLESS[database.partition(":")[0]], seconds=0.5)

    assert (Outcome.failed, "timeout") == (observation.outcome, observation.reason)
    assert time.monotonic() - started < 5.0


@pytest.mark.slow
def test_a_query_that_was_given_up_no_longer_runs(postgres, postgres_url):
    check(postgres_url, "select pg_sleep(61)", seconds=0.4)
    running = "select count(*) from pg_stat_activity where query like '%pg_sleep(61)%' and state = 'active' and pid <> pg_backend_pid()"
    wait_for(lambda: check(postgres_url, running).values["value"] == 0)


@pytest.mark.parametrize(
    ("query", "said"), [("select nothing from orders", "nothing"), ("selct 1", "selct")]
)
def test_a_wrong_query_says_what_the_database_says(database, query, said):
    observation = check(database, query)

    assert (Outcome.failed, "query_failed") == (observation.outcome, observation.reason)
    assert said in observation.text


def test_a_percent_sign_is_no_parameter(database):
    assert 2 == check(database, "select count(*) from orders where state like 'n%'").values["value"]


def test_a_file_that_is_not_there_or_no_database(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at" * 20)

    assert "no_such_file" == check(f"sqlite://{tmp_path}/none.db").reason
    assert "open_failed" == check(f"sqlite://{tmp_path}/text.db").reason
    assert not (tmp_path / "none.db").exists()


def test_a_locked_file_is_waited_for_until_the_timeout(shop, tmp_path):
    connection = sqlite3.connect(tmp_path / "shop #1.db", isolation_level=None)
    connection.execute("begin exclusive")
    observation = check(shop, seconds=0.3)
    connection.close()

    assert observation.reason in ("timeout", "locked")


@asynccontextmanager
async def relayed(server, *, hold=False):
    """A TCP port that leads to a socket; with `hold` nothing comes back once a query was sent."""

    async def relay(reader, writer):
        inner, outer = await asyncio.open_unix_connection(server)

        async def there():
            while chunk := await reader.read(65536):
                outer.write(chunk)
                if hold and b"pg_sleep" in chunk:
                    back_again.cancel()
            outer.close()

        async def back():
            while chunk := await inner.read(65536):
                writer.write(chunk)
            writer.close()

        back_again = asyncio.ensure_future(back())
        try:
            await there()
            await back_again
        finally:
            back_again.cancel()
            outer.close()

    async with serving(relay) as port:
        yield port


def over_tcp(postgres, query, *, user="postgres", hold=False, seconds=5.0, **fields):
    async def main():
        path = str(postgres._folder / "data" / ".s.PGSQL.5432")
        async with relayed(path, hold=hold) as port, Transport() as transport:
            url = f"postgresql://{user}@127.0.0.1:{port}/postgres"
            prober = Sql(url=url, query=query, **fields)
            seen = await observed(prober, transport, seconds=seconds, PASSWORD="p@ss/w:rd#%")
            left = [str(each.get_coro()) for each in asyncio.all_tasks()]
            assert not [coro for coro in left if "_ask" in coro]
            return seen

    return asyncio.run(main())


@pytest.mark.slow
def test_over_tcp_with_a_password_of_any_characters(postgres):
    observation = over_tcp(postgres, WAITING, user="monitor:{env:PASSWORD}")

    assert ("", "127.0.0.1") == (observation.reason, observation.address)
    assert "p@ss" not in repr(observation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "fields", "reason"),
    [
        ("monitor", {"tls": "require"}, "tls_failed"),
        ("nobody", {}, "login_refused"),
    ],
)
def test_who_is_not_let_in(postgres, user, fields, reason):
    observation = over_tcp(postgres, WAITING, user=user, **fields)

    assert (Outcome.failed, reason) == (observation.outcome, observation.reason)


@pytest.mark.slow
def test_a_frozen_server_does_not_hold_the_check(postgres):
    started = time.monotonic()
    observation = over_tcp(postgres, "select pg_sleep(60)", hold=True, seconds=0.5)

    assert ("timeout", True) == (observation.reason, observation.network)
    assert time.monotonic() - started < 4.0


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_servers_that_are_not_there(scheme):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = check(f"{scheme}://u@127.0.0.1:{taken.getsockname()[1]}/shop")
    nameless = check(f"{scheme}://u@no-such-host.invalid/shop")

    assert ("connect_refused", True) == (refused.reason, refused.network)
    assert ("dns_failed", True) == (nameless.reason, nameless.network)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 5000, None])
def test_servers_that_are_something_else(scheme, says):
    async def script(reader, writer):
        if says is None:
            await silent(reader, writer)
        writer.write(says)
        await writer.drain()

    async def main():
        async with serving(script) as port, Transport() as transport:
            prober = Sql(url=f"{scheme}://u@127.0.0.1:{port}/shop", query="select 1")
            return await observed(prober, transport, seconds=0.7)

    started = time.monotonic()
    observation = asyncio.run(main())

    assert Outcome.failed == observation.outcome
    assert observation.reason
    assert time.monotonic() - started < 4.0


ANSWERED = COLUMN + ROW + b"C\0\0\0\x0cFETCH 1\0" + b"Z\0\0\0\5T"


def over_tls(certificate, url="postgresql://u@localhost:{port}/shop"):
    """A check of a PostgreSQL that speaks TLS and shows this certificate."""
    talk = [act for say in (LET_IN, BEGUN, DECLARED, ANSWERED) for act in (Hear(), Say(say))]
    secured = encrypted(lambda: certificates.server(certificate), *talk, Hold())

    async def script(reader, writer):
        await acting(Hear(), Say(b"S"))(reader, writer)
        await secured(reader, writer)

    async def main():
        async with serving(script) as port, Transport() as transport:
            where, authority = url.format(port=port), certificates.authority()
            prober = Sql(where, "select 1", tls="verify", ca_file=authority)
            return await observed(prober, transport, seconds=5.0)

    return asyncio.run(main())


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("certificate", "reason"),
    [("good", ""), ("other", "certificate_name"), ("self", "certificate_untrusted")],
)
def test_what_is_verified_is_the_servers_own_certificate(certificate, reason):
    observation = over_tls(certificate)

    assert reason == observation.reason, observation.text
    assert (reason == "") == observation.values["encrypted"]
    if not reason:
        assert ("four", "127.0.0.1") == (observation.values["value"], observation.address)


@pytest.mark.slow
@pytest.mark.needs("mariadb-server", "openssl")
class TestMariaDB:
    def check(self, port, query=WAITING, *, user="monitor:{env:PASSWORD}", **how):
        return check(f"mariadb://{user}@127.0.0.1:{port}/shop", query, **how)

    def test_rows_by_name(self, mariadb):
        observation = self.check(mariadb)

        assert ("", "127.0.0.1") == (observation.reason, observation.address)
        assert holds("value == 2 && row.total > 29.8 && encrypted", observation)

    def test_nothing_can_be_changed(self, mariadb):
        for query in (
            "delete from orders",
            "select 1; delete from orders",
            "drop table orders",
            "/*! drop table orders */",
            "select add_order()",
        ):
            observation = self.check(mariadb, query, user="root")
            assert observation.reason in ("write_refused", "query_failed")
        assert 3 == self.check(mariadb, "select count(*) from orders").values["value"]

    @pytest.mark.parametrize("tls", ["off", "require", "verify"])
    def test_with_and_without_tls(self, mariadb, tls):
        ca_file = certificates.authority() if tls == "verify" else ""
        observation = self.check(mariadb, tls=tls, ca_file=ca_file)

        assert ("", tls != "off") == (observation.reason, observation.values["encrypted"])

    def test_a_query_that_does_not_end_is_ended(self, mariadb):
        observation = self.check(mariadb, "select sleep(60)", seconds=0.6)

        assert "timeout" == observation.reason
        count = "select count(*) from information_schema.processlist where info like '%sleep(60)%' and id <> connection_id()"
        wait_for(lambda: self.check(mariadb, count, user="root").values["value"] == 0)

    def test_rows_are_cut_without_reading_the_rest(self, mariadb):
        observation = self.check(
            mariadb, "select seq from information_schema.columns, seq_1_to_100000"
        )

        assert (MOST_ROWS, True) == (
            observation.values["count"],
            observation.values["truncated"],
        )

    @pytest.mark.parametrize(
        ("user", "fields", "reason"),
        [
            ("monitor", {}, "login_refused"),
            ("monitor:{env:PASSWORD}", {"tls": "verify"}, "certificate_untrusted"),
        ],
    )
    def test_who_is_not_let_in(self, mariadb, user, fields, reason):
        assert reason == self.check(mariadb, user=user, **fields).reason


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oracle://db.acme.example/shop", "no database"),
        ("postgresql:///shop", "no host"),
        ("postgresql://{env:HOST}/shop", "user and password"),
        ("postgresql://db.acme.example/shop?sslmode=disable", "parameters"),
        ("sqlite://shop.db", "absolute"),
    ],
)
def test_a_wrong_address_is_refused_when_it_is_declared(url, said):
    with pytest.raises(ValueError, match=said):
        Sql(url=url, query="select 1")


def test_secrets_are_taken_out_before_the_url_is_taken_apart():
    assert DatabaseUrl(
        "postgresql", "db.example", 6432, "shop", "{env:USER}", "{file:/run/secrets/a:b@c}"
    ) == database_url("postgresql://{env:USER}:{file:/run/secrets/a:b@c}@DB.example:6432/shop")


def test_a_driver_that_is_missing_is_said_of_the_document(monkeypatch):
    monkeypatch.setitem(sql_module.MISSING, "mysql", "pip install 'sentinel[mysql]'")

    with pytest.raises(ValueError, match=r"pip install 'sentinel\[mysql\]'"):
        Sql(url="mysql://u@db.acme.example/shop", query="select 1")


def test_what_the_pages_show_can_be_declared():
    assert {"sql"} == {probe.kind for probe in shown("sql").values()}
