/** A doctor's findings and repairs as remarks: in words, with what is lost. */
import * as Tables from "../../services/storage/sql/Tables.js"
import type { Remark } from "../sqlite/backup/Examiner.js"
import { isNote, type Outcome } from "../../services/storage/sql/doctor/Finding.js"
import { isForRebuild } from "../sqlite/doctor/Repairs.js"
import * as Findings from "./texts/Findings.js"

const lostOf = (outcome: Outcome): Remark["lost"] => {
  const losses = (outcome.finding.changes ?? []).filter(({ isLoss }) => isLoss)
  const ofTable = (name: string) => losses.filter(({ table }) => table.name === name).length
  const [messages, files] = [ofTable(Tables.messages.name), ofTable(Tables.assets.name)]
  const rows = outcome._tag === "Repaired" && isForRebuild(outcome.finding) ? outcome.repaired.lost : losses.length
  return { messages, files, rows: Math.max(0, rows - messages - files) }
}

const sessionsOf = (outcome: Outcome): ReadonlyArray<string> => {
  const { ids } = outcome.finding
  if ("session" in ids) return [ids.session.id]
  return outcome._tag === "Repaired" ? outcome.repaired.recovered : []
}

export const of = (outcome: Outcome): Remark => ({
  kind: outcome.finding.kind,
  state: outcome._tag === "Repaired" ? "repaired" : isNote(outcome.finding) ? "note" : "damage",
  sessions: sessionsOf(outcome),
  lost: lostOf(outcome),
  text: Findings.about(outcome.finding),
  advice: Findings.line(outcome).slice(Findings.headColumns)
})
