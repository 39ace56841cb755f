"""What the Dagster instance behind the UI knows, asked over GraphQL as the UI does."""

from dataclasses import dataclass
from typing import Any

import requests

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "pf_pipeline"}

RUNS = """
query Runs($filter: RunsFilter) {
  runsOrError(filter: $filter) {
    ... on Runs { results { runId jobName status assetSelection { path } startTime endTime } }
  }
}
"""
BACKFILL = """
query Backfill($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status numPartitions timestamp endTimestamp }
  }
}
"""
PARTITIONS = """
query Partitions($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      staleStatus
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { startKey endKey status } }
      }
    }
  }
}
"""
STALE = """
query Stale($asset: AssetKeyInput!, $day: String!) {
  assetNodeOrError(assetKey: $asset) { ... on AssetNode { staleStatus(partition: $day) } }
}
"""
MATERIALIZATIONS = """
query Materializations($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      metadataEntries { ...entry }
      assetMaterializations { metadataEntries { ...entry } }
      assetChecksOrError {
        ... on AssetChecks {
          checks { name executionForLatestMaterialization { status evaluation {
            description metadataEntries { ...entry }
          } } }
        }
      }
    }
  }
}
fragment entry on MetadataEntry {
  label
  description
  ... on TextMetadataEntry { text }
  ... on MarkdownMetadataEntry { mdStr }
  ... on IntMetadataEntry { intValue }
  ... on TableSchemaMetadataEntry { schema { columns { name type description } } }
}
"""


@dataclass(frozen=True)
class Run:
    """A run: its name, how it ended, what it was to materialize, and for how long it worked."""

    run_id: str
    job: str
    status: str
    assets: frozenset[str]
    seconds: float | None


@dataclass(frozen=True)
class Backfill:
    """A backfill: how it ended, and for how long it went on."""

    status: str
    partitions: int
    seconds: float | None


@dataclass(frozen=True)
class Instance:
    """The instance behind the UI at an address."""

    address: str

    def runs(self, **wanted: object) -> list[Run]:
        """The runs that a ``RunsFilter`` selects, latest first."""
        found = self._ask(RUNS, filter=wanted)["runsOrError"]["results"]
        return [
            Run(
                run["runId"],
                run["jobName"],
                run["status"],
                frozenset(asset["path"][-1] for asset in run["assetSelection"] or []),
                _seconds(run["startTime"], run["endTime"]),
            )
            for run in found
        ]

    def runs_of_backfill(self, backfill_id: str) -> list[Run]:
        return self.runs(tags=[{"key": "dagster/backfill", "value": backfill_id}])

    def backfill(self, backfill_id: str) -> Backfill:
        found = self._ask(BACKFILL, id=backfill_id)["partitionBackfillOrError"]
        return Backfill(
            found["status"],
            found["numPartitions"],
            _seconds(found["timestamp"], found["endTimestamp"]),
        )

    def green_ranges(self, asset: str) -> list[tuple[str, str]]:
        """The first and last day of each unbroken range of materialized partitions."""
        found = self._ask(PARTITIONS, asset={"path": [asset]})["assetNodeOrError"]
        ranges = found["assetPartitionStatuses"]["ranges"]
        return [
            (each["startKey"], each["endKey"])
            for each in ranges
            if each["status"] == "MATERIALIZED"
        ]

    def stale_status(self, asset: str, day: str) -> str:
        found = self._ask(STALE, asset={"path": [asset]}, day=day)["assetNodeOrError"]
        return str(found["staleStatus"])

    def told_of(self, asset: str) -> dict[str, Any]:
        """All metadata of an asset: its definition's, its materializations' and its checks'."""
        found = self._ask(MATERIALIZATIONS, asset={"path": [asset]})["assetNodeOrError"]
        return dict(found)

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = requests.post(
            f"{self.address}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        ).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])


def _seconds(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 1)
