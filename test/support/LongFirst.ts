/**
 * Begins with the files that take longest, so that no worker waits for another at the end. Vitest only knows their
 * sizes. The very first one has four processes that must keep up with each other, so it comes before the files that put
 * the most load on the machine. So do the runners of a cluster, which come when it has ended.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node"

const first = "/test/campaigns/chaos/"

const later = "/test/campaigns/cluster/"

const long = [
  "/test/campaigns/",
  "/adapters/sqlite/DoctorColumns.test.ts",
  "/adapters/postgres/storage.test.ts",
  "/services/storage/sqlite.test.ts",
  "/services/assets/Assets.test.ts",
  "/adapters/testing/defects.test.ts",
  "/adapters/cli/Acp.test.ts",
  "/adapters/cli/database.test.ts",
  "/adapters/cli/run.test.ts",
  "/adapters/cli/sessions.test.ts",
  "/adapters/cli/transfer.test.ts",
  "/adapters/page/Page.test.ts"
]

const rankOf = ({ moduleId }: TestSpecification): number => {
  if (moduleId.includes(first)) return 0
  if (moduleId.includes(later)) return 2
  return long.some((part) => moduleId.includes(part)) ? 1 : 3
}

export default class LongFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}
