"""The same figures as Prometheus reads them. Everything comes from the database and the queue, so that any web process
on any machine gives the same answer; docs/scaling.md lists the names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mailwall.health import queries, rules, tallies

ACCOUNT_SERIES_LIMIT = 20_000  # a series for each of more accounts would be more than Prometheus wants to keep


class Figures(Collector):
    """Asks the database each time it is asked."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        yield from self._accounts()
        yield from _queues()
        yield from _counters()
        yield from self._workers()

    def _accounts(self) -> Iterator[Metric]:
        fleet = queries.fleet(self._now)
        yield _gauge("accounts", "Connected accounts by state", "state", fleet.states)
        yield GaugeMetricFamily("mailwall_accounts_due", "Active accounts that wait for a worker", fleet.due)
        yield GaugeMetricFamily(
            "mailwall_accounts_overdue", "Active accounts without a success for two intervals", fleet.overdue
        )
        yield GaugeMetricFamily("mailwall_accounts_working", "Accounts that a worker holds now", fleet.working)
        yield _lag_histogram(fleet)
        if sum(fleet.states.values()) <= ACCOUNT_SERIES_LIMIT:
            last = GaugeMetricFamily(
                "mailwall_account_last_success_timestamp_seconds", "Last success; 0: none yet", labels=["account"]
            )
            for account_id, moment in queries.last_successes():
                last.add_metric([str(account_id)], moment.timestamp() if moment else 0)
            yield last

    def _workers(self) -> Iterator[Metric]:
        age = GaugeMetricFamily(
            "mailwall_process_silent_seconds", "Since a process was last heard of", labels=["machine", "part", "pid"]
        )
        clock = GaugeMetricFamily(
            "mailwall_process_clock_offset_seconds",
            "How far its clock is ahead of the database's",
            labels=["machine", "part", "pid"],
        )
        for worker in queries.workers(self._now):
            labels = [worker.beat.machine, worker.beat.part, str(worker.beat.pid)]
            age.add_metric(labels, max(0.0, (self._now - worker.beat.seen_at).total_seconds()))
            clock.add_metric(labels, worker.beat.clock_off_seconds)
        yield from (age, clock)


def text(now: datetime) -> bytes:
    """Prometheus' text format, version 0.0.4."""
    return generate_latest(Figures(now))  # type: ignore[arg-type]  # asks for nothing but collect()


def _lag_histogram(fleet: rules.Fleet) -> Metric:
    lags = Metric(
        "mailwall_account_lag_seconds",
        "Since the last success, of active accounts, as they stand now",
        "gaugehistogram",
    )
    for bound, count in zip([*map(str, rules.LAG_SECONDS), "+Inf"], fleet.lags, strict=True):
        lags.add_sample("mailwall_account_lag_seconds_bucket", {"le": bound}, count)
    return lags


def _queues() -> Iterator[Metric]:
    depths = {name: depth for name, depth in queries.queue_depths().items() if depth is not None}
    yield _gauge("queue_depth", "Tasks that wait", "queue", depths)
    yield _gauge("outgoing_waiting", "Mails that have not left yet", "state", queries.outgoing_waiting())


def _counters() -> Iterator[Metric]:
    stored = CounterMetricFamily("mailwall_messages_stored", "Messages that were not here before")
    stored.add_metric([], tallies.totals(tallies.MESSAGES).get("", 0))
    yield stored
    sent = CounterMetricFamily("mailwall_outgoing", "What became of outgoing mail", labels=["result"])
    for result, total in tallies.totals(tallies.OUTGOING).items():
        sent.add_metric([result], total)
    yield sent
    errors = CounterMetricFamily("mailwall_imap_errors", "Failed attempts", labels=["stage", "code"])
    for key, total in tallies.totals(tallies.IMAP_ERROR).items():
        errors.add_metric(key.split(" ", 1), total)
    yield errors
    taken_over = CounterMetricFamily("mailwall_leases_taken_over", "Accounts whose worker never gave them back")
    taken_over.add_metric([], tallies.totals(tallies.TAKEN_OVER).get("", 0))
    yield taken_over


def _gauge(name: str, help_text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"mailwall_{name}", help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
