/**
 * Repairs. Those of rows are the changes that their findings name; those of files are here, by kind. A kind with neither
 * can only be mended by a person, or is no damage.
 */
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs"
import { codeOf } from "../../ErrorCode.js"
import type { Aside } from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import { hasBytes, partsOf } from "./DatabaseCheck.js"
import {
  type Finding,
  type FindingOf,
  type Ids,
  type Kind,
  type Outcome,
  type RepairResult,
  repairResult
} from "./Finding.js"

type FileRepairs = { readonly [K in Kind]?: (ids: Ids[K], aside: Aside) => RepairResult }

const moveAside = ({ path }: { readonly path: string }, aside: Aside): RepairResult =>
  repairResult({ aside: [aside.move(path)] })

const undo = ({ path, twin }: Ids["half-repaired"]): RepairResult => {
  for (const end of DataLayout.endings) {
    if (existsSync(twin + end) && !hasBytes(path + end)) renameSync(twin + end, path + end)
  }
  rmSync(twin)
  return repairResult()
}

const fileRepairs: FileRepairs = {
  "open-to-others": ({ closed, mode, path }) => {
    chmodSync(path, mode & 0o777 & ~closed)
    return repairResult()
  },
  "stray-log": moveAside,
  "stray-file": moveAside,
  "left-behind": ({ path }) => {
    rmSync(path, { recursive: true, force: true })
    return repairResult()
  },
  "not-a-database": ({ path }, aside) => repairResult({ aside: partsOf(path).toReversed().map(aside.move) }),
  "half-repaired": undo
}

/** What `Rebuild` repairs. */
export const isForRebuild = ({ kind }: Finding): boolean =>
  kind === "pages-damaged" || kind === "marks-damaged" || kind === "schema-changed"

const isRepairable = (finding: Finding): boolean =>
  finding.changes !== null || finding.kind in fileRepairs || isForRebuild(finding)

/** What a finding is that nothing was done about. */
export const found = (finding: Finding): Outcome => ({ _tag: "Found", finding, isRepairable: isRepairable(finding) })

const run = <K extends Kind>({ ids, kind }: FindingOf<K>, aside: Aside): RepairResult | null => {
  const repair: ((ids: Ids[K], aside: Aside) => RepairResult) | undefined = fileRepairs[kind]
  return repair === undefined ? null : repair(ids, aside)
}

/** Does it, or says why it failed. What it throws means that nothing was done. */
const attempt = (finding: Finding, run: () => RepairResult | null): Outcome => {
  try {
    const repaired = run()
    return repaired === null ? found(finding) : { _tag: "Repaired", finding, repaired }
  } catch (thrown) {
    return { _tag: "Failed", finding, code: codeOf(thrown) }
  }
}

/** Repairs files, where that is what has to be done. */
export const ofFile =
  (aside: Aside) =>
  (finding: Finding): Outcome =>
    attempt(finding, () => run(finding, aside))
