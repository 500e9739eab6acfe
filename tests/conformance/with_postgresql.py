#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command beside a PostgreSQL server of its own.

    with_postgresql.py [--standby] COMMAND …

The server has a folder of its own, which goes with it, and lasts as long as
the command, which finds in its environment:

    LONGSTOP_TEST_PG         how to connect, as libpq takes it
    LONGSTOP_TEST_PG_POOLED  the same by way of a pooler that lends another
                             connection to each transaction, where there is one
    LONGSTOP_TEST_PG_STANDBY with --standby: a second server, which follows the
                             first one and calls itself `standby`
    LONGSTOP_TEST_PG_BOTH    both of them, the standby first
    LONGSTOP_TEST_PG_KEEPER  the process to be signalled: SIGUSR1 ends the
                             server as a crash would, SIGUSR2 starts it again

Ends with the command's status, and with 77 where there is no server.
"""
import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "brokers"),
                os.path.join(HERE, "..", "e2e")]

# pylint: disable=wrong-import-position
from contract import Server  # noqa: E402
from test_postgresql import PostgresqlServer  # noqa: E402

SKIPPED = 77
POOLER = """
[databases]
postgres = host={dir} port={port} dbname=postgres user=longstop
[pgbouncer]
listen_port = {own}
unix_socket_dir = {own_dir}
auth_type = any
pool_mode = transaction
min_pool_size = 3
server_round_robin = 1
"""


class Nobody:
    """Servers belong to a test; here they are ended by hand."""

    def addCleanup(self, *_):  # pylint: disable=invalid-name
        pass


class Database(PostgresqlServer):
    def argv(self):
        return super().argv() + ["-c", "deadlock_timeout=100ms"]

    def conninfo(self, *before):
        servers = [*before, self]
        return (f"host={','.join(server.dir for server in servers)} "
                f"port={','.join(str(server.port) for server in servers)} "
                "user=longstop dbname=postgres")

    def crash(self, *_):
        """Ends it at once, and what it serves; nothing is written back."""
        self.child.send_signal(signal.SIGQUIT)
        self.child.wait()


class Standby(Database):
    """Made of a server that runs, which it follows from then on."""

    def __init__(self, case, primary):
        self.primary = primary
        super().__init__(case)

    def prepare(self):
        if self.owner():
            shutil.chown(self.dir, self.owner())
        subprocess.run(
            [os.path.join(os.path.dirname(self.find()), "pg_basebackup"),
             "-D", self.path("data"), "-R", "-c", "fast", "-d",
             f"host={self.primary.dir} port={self.primary.port} user=longstop "
             "application_name=standby"], cwd=self.dir, user=self.owner(),
            check=True)


class Pooler(Server):
    program = "pgbouncer"

    def __init__(self, case, database):
        self.database = database
        super().__init__(case)

    def owner(self):
        return self.database.owner()

    def prepare(self):
        if self.owner():
            shutil.chown(self.dir, self.owner())
        with open(self.path("pooler.ini"), "w", encoding="utf-8") as file:
            file.write(POOLER.format(
                dir=self.database.dir, port=self.database.port,
                own=self.port, own_dir=self.dir))

    def argv(self):
        return [self.find(), self.path("pooler.ini")]

    def conninfo(self):
        return (f"host={self.dir} port={self.port} user=longstop "
                "dbname=postgres")

    def is_ready(self):
        return subprocess.run(
            ["psql", "-d", self.conninfo(), "-Atc", "SELECT 1"],
            capture_output=True, check=False).returncode == 0


def main():
    if PostgresqlServer.find() is None:
        print("no PostgreSQL server here")
        return SKIPPED
    words = sys.argv[1:]
    has_standby = words[:1] == ["--standby"]
    servers = [Database(Nobody())]
    environment = dict(os.environ,
                       LONGSTOP_TEST_PG_KEEPER=str(os.getpid()))
    try:
        database = servers[0].start()
        environment["LONGSTOP_TEST_PG"] = database.conninfo()
        if Pooler.find() is not None:
            pooler = Pooler(Nobody(), database)
            servers.append(pooler)
            environment["LONGSTOP_TEST_PG_POOLED"] = pooler.conninfo()
            pooler.start()
        if has_standby:
            standby = Standby(Nobody(), database)
            servers.append(standby)
            standby.start()
            environment["LONGSTOP_TEST_PG_STANDBY"] = standby.conninfo()
            environment["LONGSTOP_TEST_PG_BOTH"] = database.conninfo(standby)
        signal.signal(signal.SIGUSR1, database.crash)
        signal.signal(signal.SIGUSR2, lambda *_: database.start())
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        status = subprocess.run(words[has_standby:], env=environment,
                                check=False).returncode
        if status != 0:
            print(database.log()[-4000:])
        return status
    finally:
        for server in reversed(servers):
            if server.child is not None and server.child.poll() is None:
                server.kill()
            shutil.rmtree(server.dir, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
