"""Runs the benchmarks one after the other, and says on what machine."""

from bench import analysis, archive_year, backfill, poll, rate, readers, steps, webhook
from bench.machine import describe_machine


def main() -> None:
    """Print every benchmark's figures."""
    print(describe_machine())
    backfill.main()
    steps.main()
    poll.main()
    rate.main()
    archive_year.main()
    webhook.main()
    analysis.main()
    readers.main()


if __name__ == "__main__":
    main()
