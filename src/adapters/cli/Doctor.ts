/**
 * Checks a data folder or a database, or repairs it, and prints a line for each finding. Fails when damage remains, and
 * when a rebuilt database has lost rows. A signal ends it immediately: a check changes nothing, and each repair is
 * complete or not begun.
 */
import { Clock, Effect, Layer } from "effect"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import { CheckProgress } from "../../services/storage/sql/doctor/CheckProgress.js"
import * as Aside from "../sqlite/Aside.js"
import { asidePlace } from "../sqlite/doctor/Connection.js"
import * as Doctor from "../sqlite/doctor/Doctor.js"
import { isDamage } from "../../services/storage/sql/doctor/Finding.js"
import { isForRebuild } from "../sqlite/doctor/Repairs.js"
import { Incomplete, Unhealthy } from "./Failure.js"
import * as Place from "./Place.js"
import { postgres } from "./PostgresLoading.js"
import * as Progress from "./terminal/Progress.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Findings from "./texts/Findings.js"
import * as Texts from "./texts/Maintenance.js"

export interface Input {
  readonly repair: boolean
  readonly place: Place.Given
}

/** A turn of the event loop, in which the terminal is drawn: the check itself leaves none. */
const terminalServed = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/** Checks or repairs a data folder. */
const inFolder = ({ data }: Place.Folder, isRepair: boolean) =>
  Effect.provide(isRepair ? Doctor.repair(data) : Doctor.look(data), Layer.fresh(Identity.layer))

/** Checks or repairs a PostgreSQL database. The original rows go to the data folder of this host. */
const inDatabase = ({ schema, url }: Extract<Place.Place, { readonly _tag: "Database" }>, isRepair: boolean) =>
  Effect.gen(function* () {
    const { look, repair } = yield* postgres
    const options = { url, schema: schema ?? undefined }
    if (!isRepair) return yield* look(options)
    const data = yield* DataFolder.data(yield* DataFolder.host)
    return yield* repair(options, asidePlace(Aside.make(data, yield* Clock.currentTimeMillis)))
  }).pipe(Effect.provide(Layer.fresh(Identity.layerOn("many"))))

export const run = Effect.fn("cli.doctor")(function* (input: Input) {
  const screen = yield* Screen
  const place = yield* Place.of(input.place)
  const path = place._tag === "Folder" ? place.data : place.name
  const label = input.repair ? Texts.repairing : Texts.checking
  const outcomes = yield* Progress.during({ label, unit: Texts.sessions }, (report) =>
    Effect.provideService(
      place._tag === "Folder" ? inFolder(place, input.repair) : inDatabase(place, input.repair),
      CheckProgress,
      { report: (done, total) => Effect.zipRight(report(done, total), terminalServed) }
    )
  )
  for (const outcome of outcomes) yield* screen.write(`${TerminalText.line(Findings.line(outcome))}\n`)
  const damaged = outcomes.filter(isDamage)
  const rebuilds = outcomes.flatMap((outcome) =>
    outcome._tag === "Repaired" && isForRebuild(outcome.finding) ? [outcome.repaired] : []
  )
  const lost = rebuilds.reduce((sum, { lost }) => sum + lost, 0)
  const sessions = rebuilds.flatMap(({ sessions }) => sessions.filter(({ lost }) => lost > 0)).length
  if (damaged.length === 0 && lost + sessions > 0) return yield* new Incomplete({ path, lost, sessions })
  if (damaged.length === 0) return yield* screen.write(`${Texts.healthy(TerminalText.line(path))}\n`)
  const repairable = damaged.filter((outcome) => outcome._tag === "Found" && outcome.isRepairable).length
  const what = place._tag === "Folder" ? "folder" : "database"
  return yield* new Unhealthy({ path, what, damaged: damaged.length, repairable })
})
