/**
 * Checks all rows of a database, and repairs them: first those that concern several sessions, then each session. Damage
 * in one session never stops the check of another.
 */
import { Effect } from "effect"
import type { Engines } from "../../../Engines.js"
import { CheckProgress } from "./CheckProgress.js"
import { type Aside, type Database, inUse } from "./Database.js"
import type { Finding, Outcome, SessionKey } from "./Finding.js"
import * as Judging from "./Judging.js"
import * as RowRepair from "./RowRepair.js"
import * as SessionCheck from "./SessionCheck.js"
import * as SharedCheck from "./SharedCheck.js"
import * as Treatment from "./Treatment.js"

type Look = Effect.Effect<ReadonlyArray<Finding>, never, Engines>

/** `rows` checks what a repair changes, `look` everything. */
const treat = (
  database: Database,
  aside: Aside | null,
  session: SessionKey | null,
  { first, look, rows }: { readonly first?: Look; readonly look: Look; readonly rows: Look }
) => {
  const sound = Effect.map((findings: ReadonlyArray<Finding>) => ({ findings, isSound: true }))
  return Effect.map(
    Treatment.run({
      look: sound(look),
      first: sound(first ?? look),
      found: RowRepair.found,
      repair:
        aside === null
          ? null
          : (findings) =>
              Effect.catchIf(
                RowRepair.run({ database, aside }, session, findings, rows),
                ({ code }) => code === inUse,
                () => Effect.succeed(findings.map((finding): Outcome => ({ _tag: "Failed", finding, code: inUse })))
              )
    }),
    ({ outcomes }) => outcomes
  )
}

/** Treats the rows that concern several sessions. `aside` is null for a check. */
export const shared = (database: Database, aside: Aside | null) => {
  const look = Judging.orUnreadable({ path: database.path }, database.snapshot(SharedCheck.check(database)))
  return treat(database, aside, null, { look, rows: look })
}

const treatSession = (database: Database, aside: Aside | null, seen: SessionCheck.SessionLook) => {
  const { session } = seen
  const withFiles = ({ assets, findings }: Pick<SessionCheck.SessionLook, "assets" | "findings">) =>
    Effect.map(
      Judging.orUnreadable({ session }, database.files?.check(session, assets) ?? Effect.succeed([])),
      (files) => [...findings, ...files]
    )
  const again = Effect.map(SessionCheck.check(database, [session]), ([seen]) => seen ?? { findings: [], assets: [] })
  const look = Effect.flatMap(again, withFiles)
  // The repair of an earlier session may have changed what was found.
  const first = aside === null || seen.findings.length === 0 ? withFiles(seen) : look
  return treat(database, aside, session, { first, look, rows: Effect.map(again, ({ findings }) => findings) })
}

/** Treats all sessions with a valid id and ordinal. */
export const sessions = Effect.fnUntraced(function* (database: Database, aside: Aside | null) {
  const { report } = yield* CheckProgress
  const batches = yield* SharedCheck.batches(database.query)
  const total = batches.flat().length
  const outcomes: Array<Outcome> = []
  let done = 0
  for (const batch of batches) {
    for (const seen of yield* SessionCheck.check(database, batch)) {
      outcomes.push(...(yield* treatSession(database, aside, seen)))
      yield* report(++done, total)
    }
  }
  return outcomes
})
