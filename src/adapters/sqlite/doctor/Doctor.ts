/**
 * Looks at a data folder for all that can be wrong with it, and repairs what can be.
 *
 * A look changes nothing, and may be taken while engines use the folder. A repair needs that nobody else has the
 * database open. It deletes nothing that it cannot explain: what is in the way is moved to `aside/<time>/`, what is
 * lost is said. What was repaired is looked at again, and repaired again if that brought something else to light; what
 * is still wrong then could not be repaired.
 */
import { Clock, Effect } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { StorageUnusable, type StorageFailed } from "../../../domain/SkeinError.js"
import type { Engines } from "../../../services/Engines.js"
import * as Aside from "../Aside.js"
import { codeOf } from "../../ErrorCode.js"
import { forLooking, forRepair } from "./Connection.js"
import * as DatabaseCheck from "./DatabaseCheck.js"
import { beyondRepair, type Files, type Finding, type Means, note } from "./Finding.js"
import * as FreshProcess from "./FreshProcess.js"
import * as PlacesCheck from "./PlacesCheck.js"
import * as Rebuild from "./Rebuild.js"
import type { Saved } from "./Salvage.js"
import * as SessionsCheck from "./SessionsCheck.js"
import * as DataLayout from "../DataLayout.js"

/** What became of a finding. */
export interface Outcome {
  readonly kind: "note" | "damage" | "repaired"
  readonly where: string
  readonly what: string
  /** What was done; else what would be done, or can be. */
  readonly text: string
  /** Whether a repair would do it. */
  readonly isRepairable: boolean
}

const untouched = ({ kind, remedy, repair, what, where }: Finding<never>): Outcome => ({
  kind,
  where,
  what,
  text: remedy,
  isRepairable: repair !== null
})

const done = ({ what, where }: Finding<never>, text: string): Outcome => ({
  kind: "repaired",
  where,
  what,
  text,
  isRepairable: true
})

const hasFiles = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length > 0

const noDatabase = (data: string): Finding<unknown> =>
  hasFiles(join(data, "assets"))
    ? beyondRepair(DataLayout.databaseIn(data), "there is none, though there are files of sessions", "restore a backup")
    : note(DataLayout.databaseIn(data), "there is no database", "the first session makes it")

const damagedPages = (path: string, problems: ReadonlyArray<string>): Outcome => ({
  kind: "damage",
  where: path,
  what: `it is damaged, as a second look by a fresh process says too: ${problems[0] ?? ""}`,
  text: "a new database gets all that can be read, and this one is moved aside whole",
  isRepairable: true
})

/** Everything that is wrong, and what would be done about it. Changes nothing. */
export const look = (data: string): Effect.Effect<ReadonlyArray<Outcome>, StorageUnusable | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const path = DataLayout.databaseIn(data)
    const places = yield* PlacesCheck.check(data)
    const seen = places.findings.map(untouched)
    if (!places.isUsable) return seen
    if (!existsSync(path)) return [...seen, untouched(noDatabase(data))]
    const verdict = yield* DatabaseCheck.check(path)
    if (verdict._tag === "Damaged") return [...seen, damagedPages(path, verdict.problems)]
    if (verdict._tag === "Closed") return [...seen, ...verdict.findings.map(untouched)]
    const rows = yield* Effect.scoped(
      Effect.flatMap(forLooking(path), (connection) => SessionsCheck.check(data, path, connection))
    )
    return [...seen, ...verdict.findings.map(untouched), ...rows.map(untouched)]
  }).pipe(Effect.withSpan("Doctor.look"))

/** Does what findings say. One that fails stays what it was. */
const apply = <Needs>(means: Needs, findings: ReadonlyArray<Finding<Needs>>): ReadonlyArray<Outcome> =>
  findings.map((finding) => {
    if (finding.repair === null) return untouched(finding)
    try {
      return done(finding, finding.repair(means))
    } catch (thrown) {
      return { ...untouched(finding), text: `it could not be repaired (${codeOf(thrown)})`, isRepairable: false }
    }
  })

/** Most looks that a repair takes. */
const maxRounds = 4

const isRepaired = ({ kind }: Outcome): boolean => kind === "repaired"

/** Repairs rows until there is nothing more that can be. */
const repairRows = (data: string, aside: Aside.Aside) =>
  Effect.gen(function* () {
    const path = DataLayout.databaseIn(data)
    const connection = yield* forRepair(path)
    const means: Means = { connection, aside }
    const repaired: Array<Outcome> = []
    for (let round = 1; ; round++) {
      const findings = yield* SessionsCheck.check(data, path, connection)
      if (round === maxRounds) return [...repaired, ...findings.map(untouched)]
      const outcomes = apply(means, findings)
      repaired.push(...outcomes.filter(isRepaired))
      if (!outcomes.some(isRepaired)) return [...repaired, ...outcomes]
    }
  }).pipe(Effect.scoped)

const counted = (saved: ReadonlyArray<Saved>, count: (saved: Saved) => number): string =>
  saved
    .filter((one) => count(one) > 0)
    .map((one) => `${one.table} ${count(one)}`)
    .join(", ")

const rebuilt = (path: string, problems: ReadonlyArray<string>, { kept, saved }: Rebuild.Rebuilt): Outcome => {
  const gaps = counted(saved, ({ gaps }) => gaps)
  const refused = counted(saved, ({ refused }) => refused)
  const lost = [
    ...(gaps === "" ? [] : [`stretches that could not be read: ${gaps}`]),
    ...(refused === "" ? [] : [`rows that made no sense: ${refused}`])
  ].join("; ")
  return {
    ...damagedPages(path, problems),
    kind: "repaired",
    text:
      `rows recovered: ${counted(saved, ({ rows }) => rows)}; ${lost === "" ? "no row was lost" : `lost: ${lost}`}; ` +
      `the damaged database is now ${kept}`
  }
}

const inUse = (path: string) =>
  new StorageUnusable({ path, reason: "locked", detail: "another process has it open; nothing was repaired" })

/** Repairs the file itself. Gives what was done, and whether its rows can be looked at now. */
const repairFile = (path: string, aside: Aside.Aside) =>
  Effect.gen(function* () {
    const repaired: Array<Outcome> = []
    for (let round = 1; ; round++) {
      if (!existsSync(path)) return { outcomes: repaired, isSound: false }
      const verdict = yield* DatabaseCheck.check(path)
      if (verdict._tag === "Damaged") {
        if (round === maxRounds)
          return { outcomes: [...repaired, damagedPages(path, verdict.problems)], isSound: false }
        repaired.push(rebuilt(path, verdict.problems, yield* Rebuild.run(path, aside)))
        continue
      }
      const outcomes = apply<Files>({ aside }, verdict.findings)
      repaired.push(...outcomes)
      if (verdict._tag === "Sound") return { outcomes: repaired, isSound: true }
      if (round === maxRounds || !outcomes.some(isRepaired)) return { outcomes: repaired, isSound: false }
    }
  })

/**
 * Repairs what can be, and gives what was done and what is still wrong. Fails as locked, and has then changed nothing,
 * when another process has the database open.
 */
export const repair = (data: string): Effect.Effect<ReadonlyArray<Outcome>, StorageUnusable | StorageFailed, Engines> =>
  Effect.gen(function* () {
    const path = DataLayout.databaseIn(data)
    const aside = Aside.make(data, yield* Clock.currentTimeMillis)
    if (existsSync(path)) yield* Effect.scoped(FreshProcess.hold(path))
    const places = yield* PlacesCheck.check(data)
    if (!places.isUsable) return places.findings.map(untouched)
    const outcomes = [...apply<Files>({ aside }, places.findings)]
    if (!existsSync(path)) return [...outcomes, untouched(noDatabase(data))]
    const file = yield* repairFile(path, aside)
    outcomes.push(...file.outcomes)
    if (!existsSync(path)) outcomes.push(untouched(noDatabase(data)))
    if (file.isSound) outcomes.push(...(yield* repairRows(data, aside)))
    return outcomes
  }).pipe(
    Effect.mapError((error) =>
      error._tag === "StorageUnusable" && error.reason === "locked" ? inUse(error.path) : error
    ),
    Effect.withSpan("Doctor.repair")
  )
