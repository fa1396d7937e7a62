/** What is done about each kind of finding. A kind that is not here can only be mended by a person, or is no damage. */
import { chmodSync, existsSync, renameSync, rmSync } from "node:fs"
import { codeOf } from "../../ErrorCode.js"
import * as DataLayout from "../DataLayout.js"
import { hasBytes, partsOf } from "./DatabaseCheck.js"
import { type Finding, type FindingOf, type Ids, type Kind, type Outcome, type Repaired, repaired } from "./Finding.js"
import { change, type Files, type Means } from "./Means.js"
import * as Orphans from "./Orphans.js"
import * as RowRepair from "./RowRepair.js"
import * as TranscriptRepair from "./TranscriptRepair.js"

/** Does it. What it throws means that nothing was done. */
type Repairs<Needs> = { readonly [K in Kind]?: (ids: Ids[K], means: Needs) => Repaired }

const moveAside = ({ path }: { readonly path: string }, { aside }: Files): Repaired =>
  repaired({ aside: [aside.move(path)] })

const undo = ({ path, twin }: Ids["half-repaired"]): Repaired => {
  for (const end of DataLayout.endings) {
    if (existsSync(twin + end) && !hasBytes(path + end)) renameSync(twin + end, path + end)
  }
  rmSync(twin)
  return repaired()
}

const dropAsset = ({ asset, loss, ordinal, session }: Ids["asset-lost"], means: Means): Repaired => {
  const { aside, connection } = means
  const stored = connection.prepare<[number], object>("SELECT * FROM assets WHERE ordinal = ?").get(ordinal)
  const kept = [aside.keep(`${session.id}-asset-${asset}`, stored)]
  if (loss._tag === "FileChanged") kept.push(aside.move(loss.path))
  change(means, session, () => connection.prepare("DELETE FROM assets WHERE ordinal = ?").run(ordinal))
  return repaired({ aside: kept, rows: [{ table: "assets", kept: 0, lost: 1, gaps: 0 }] })
}

const forgetEvents = ({ lastEvent, session }: Ids["events-damaged"], { connection }: Means): Repaired => {
  connection.prepare("UPDATE session_rows SET first_cursor = ? WHERE ordinal = ?").run(lastEvent + 1, session.ordinal)
  return repaired()
}

export const ofFiles: Repairs<Files> = {
  "open-to-others": ({ closed, mode, path }) => {
    chmodSync(path, mode & 0o777 & ~closed)
    return repaired()
  },
  "stray-log": moveAside,
  "stray-file": moveAside,
  "left-behind": ({ path }) => {
    rmSync(path, { recursive: true, force: true })
    return repaired()
  },
  "not-a-database": ({ path }, { aside }) => repaired({ aside: partsOf(path).toReversed().map(aside.move) }),
  "half-repaired": undo
}

export const ofRows: Repairs<Means> = {
  ...ofFiles,
  "session-rows-missing": (_, { connection }) => Orphans.adopt(connection),
  "row-damaged": RowRepair.reset,
  "message-damaged": ({ seq, session }, means) => TranscriptRepair.fill({ session, first: seq, last: seq }, means),
  "messages-missing": TranscriptRepair.fill,
  "call-answered": TranscriptRepair.settle,
  "call-abandoned": TranscriptRepair.settle,
  "events-damaged": forgetEvents,
  "asset-lost": dropAsset
}

/** `Rebuild` repairs damaged pages. */
export const isRepairable = (kind: Kind): boolean => kind in ofRows || kind === "pages-damaged"

/** What a finding is that nothing was done about. */
export const found = (finding: Finding): Outcome => ({
  _tag: "Found",
  finding,
  isRepairable: isRepairable(finding.kind)
})

const run = <K extends Kind, Needs>(
  repairs: Repairs<Needs>,
  means: Needs,
  { ids, kind }: FindingOf<K>
): Repaired | null => {
  const repair: ((ids: Ids[K], means: Needs) => Repaired) | undefined = repairs[kind]
  return repair === undefined ? null : repair(ids, means)
}

/** Does what there is to be done. A repair that fails leaves the finding. */
export const apply =
  <Needs>(repairs: Repairs<Needs>, means: Needs) =>
  (finding: Finding): Outcome => {
    try {
      const repaired = run(repairs, means, finding)
      return repaired === null ? found(finding) : { _tag: "Repaired", finding, repaired }
    } catch (thrown) {
      return { _tag: "Failed", finding, code: codeOf(thrown) }
    }
  }
