/**
 * The repair for each kind of finding about files. Rows are repaired by the changes in their findings. Other kinds can
 * only be repaired by a person, or are not damage.
 */
import { Effect, Either } from "effect"
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs"
import type { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import { codeOf } from "../../ErrorCode.js"
import type { Aside } from "../Aside.js"
import * as DataLayout from "../DataLayout.js"
import {
  type Finding,
  type FindingOf,
  type Ids,
  type Kind,
  type Outcome,
  type RepairResult,
  repairResult
} from "../../../services/storage/sql/doctor/Finding.js"
import * as Rebuild from "./Rebuild.js"

type Failure = StorageUnusable | StorageFailed

interface InFile {
  readonly path: string
}

const moveAside = ({ path }: InFile, aside: Aside): RepairResult => repairResult({ aside: [aside.move(path)] })

/** Replaces the damaged database with a new one. */
const rebuild = ({ path }: InFile, aside: Aside) => Rebuild.run(path, aside)

type Repair<K extends Kind> = (ids: Ids[K], aside: Aside) => RepairResult | Effect.Effect<RepairResult, Failure>

/** A repair that throws has changed nothing. */
const repairs: { readonly [K in Kind]?: Repair<K> } = {
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
  "not-a-database": ({ path }, aside) => repairResult({ aside: DataLayout.partsOf(path).toReversed().map(aside.move) }),
  "half-repaired": ({ path, twin }) => {
    for (const end of DataLayout.endings) {
      if (existsSync(twin + end) && !DataLayout.hasBytes(path + end)) renameSync(twin + end, path + end)
    }
    rmSync(twin)
    return repairResult()
  },
  "pages-damaged": rebuild,
  "marks-damaged": rebuild,
  "schema-changed": rebuild
}

export const isForRebuild = ({ kind }: Finding): boolean => repairs[kind] === rebuild

/** The outcome of a finding that nothing is done about. */
export const found = (finding: Finding): Outcome => ({
  _tag: "Found",
  finding,
  isRepairable: finding.changes !== null || finding.kind in repairs
})

const start = <K extends Kind>({ ids, kind }: FindingOf<K>, aside: Aside) => {
  const repair: Repair<K> | undefined = repairs[kind]
  return repair?.(ids, aside)
}

const ofFile = (finding: Finding, aside: Aside): Effect.Effect<Outcome, Failure> =>
  Effect.gen(function* () {
    const started = Either.try({ try: () => start(finding, aside), catch: codeOf })
    if (Either.isLeft(started)) return { _tag: "Failed", finding, code: started.left }
    const done = started.right
    if (done === undefined) return found(finding)
    return { _tag: "Repaired", finding, repaired: Effect.isEffect(done) ? yield* done : done }
  })

/** Repairs the files of those findings that have a repair here. */
export const ofFiles =
  (aside: Aside) =>
  (findings: ReadonlyArray<Finding>): Effect.Effect<ReadonlyArray<Outcome>, Failure> =>
    Effect.forEach(findings, (finding) => ofFile(finding, aside))
