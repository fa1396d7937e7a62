/**
 * Begins with the files that take longest, so that no worker waits for another at the end. Vitest only knows their
 * sizes. The very first one has four processes that must keep up with each other, so it comes before the files that put
 * the most load on the machine.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node"

const first = "/test/campaigns/chaos/"

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

const isLong = ({ moduleId }: TestSpecification): boolean => long.some((part) => moduleId.includes(part))

export default class LongFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    const rank = (file: TestSpecification) => (file.moduleId.includes(first) ? 0 : isLong(file) ? 1 : 2)
    return sorted.toSorted((one, other) => rank(one) - rank(other))
  }
}
