"""Two workers on machines of their own (network namespaces): one loses its line to the database while it has a lease."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Cluster, Worker, fill
from tests.rig.namespaces import DATA_HOST, MAIL_HOST, Network, NotAllowed

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow]
MAILS = 30


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        made = Network()
    except NotAllowed as error:
        pytest.skip(f"no network namespaces here: {error}")
    with made:
        yield made


def test_the_other_machine_takes_over_and_the_first_writes_nothing_after_healing(cluster: Cluster, network: Network):
    address = f"split-{cluster.database}@example.org"
    fill(cluster.dovecot, address, MAILS)
    mail = network.forward(MAIL_HOST, cluster.dovecot.port)
    mail.silent_from = b"FETCH"
    [account_id] = cluster.accounts({"address": address, "host": MAIL_HOST, "port": mail.port})
    lonely = start(cluster, network, 1)
    cluster.wait(lambda: mail.black_hole, "no FETCH")
    [(holder,)] = cluster.rows("SELECT lease_token FROM email_accounts_emailaccount")
    assert holder

    network.cut(1, "data")
    mail.silent_from, mail.black_hole = b"", False  # all that it asked for comes, and it cannot write it down
    start(cluster, network, 2)
    cluster.wait(lambda: cluster.is_whole(account_id, MAILS), "nobody took over")
    cluster.wait(lambda: cluster.standing()[0][1] is not None, "not told as done")
    assert not lonely.logged("lease was lost"), "it cannot know"
    before = written(cluster)

    network.heal(1, "data")
    [(healed_at,)] = cluster.rows("SELECT now()::text")
    cluster.wait(lambda: gave_up(lonely), "the lonely one did not notice")
    cluster.wait(lambda: len(heard_of(cluster, healed_at)) == 2, "the lonely one did not come back")
    assert written(cluster) == before
    assert cluster.is_whole(account_id, MAILS)
    assert cluster.standing()[0][4] == 0, "the partition counts as a failed attempt"
    assert lonely.process.poll() is None


def start(cluster: Cluster, network: Network, machine: int) -> Worker:
    """A worker whose database and queue are behind the links of its machine."""
    queue = network.forward(MAIL_HOST, urllib.parse.urlsplit(cluster.redis.url).port or 0)
    data = network.forward(DATA_HOST, cluster.postgres.port)
    return cluster.worker(
        *network.prefix(machine),
        MAILWALL_DATABASE_URL=cluster.url(data.port, DATA_HOST),
        MAILWALL_REDIS_URL=f"redis://{MAIL_HOST}:{queue.port}/0",
    )


def gave_up(worker: Worker) -> bool:
    """It learnt that the lease is another's, or that its connection had died with the line."""
    return worker.logged("lease was lost") or worker.logged("database does not answer, tried again later")


def written(cluster: Cluster) -> list[list[tuple[object, ...]]]:
    """Every row of mail with the transaction that wrote it."""
    tables = ("mailstore_message", "mailstore_messagebody", "mailstore_participant", "sync_placement", "sync_folder")
    return [cluster.rows(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY 2") for table in tables]


def heard_of(cluster: Cluster, since: str) -> list[tuple[object, ...]]:
    return cluster.rows(f"SELECT pid FROM health_beat WHERE seen_at > '{since}'")
