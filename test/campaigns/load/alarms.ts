/**
 * `npm run alarms [-- --minutes M] [--looks N]`: a doctor checks each golden data folder N times, and then for M
 * minutes, at least N times, a folder that an engine works on. Each check that finds damage is a false alarm and makes
 * the command fail.
 */
import { Clock, Effect, Layer, Logger, LogLevel } from "effect"
import * as Golden from "../../support/golden/Golden.js"
import { folder } from "../../unit/services/storage/disk.js"
import * as Load from "./Load.js"
import * as Looks from "./Looks.js"

const option = (name: string, otherwise: number): number => {
  const place = process.argv.indexOf(`--${name}`)
  return place === -1 ? otherwise : Number(process.argv[place + 1])
}

const minutes = option("minutes", 10)
const wanted = option("looks", 1_000)

const shape: Load.Shape = { steps: 2, tools: 6, millis: 12 }

let failed = 0

const tell = (what: string, { alarms, looks, said }: Looks.Looks) =>
  Effect.sync(() => {
    failed += alarms
    console.log(`${what}: ${looks} checks, ${alarms} false alarms`)
    for (const alarm of said) console.log(`  ${alarm}`)
  })

/** Each folder as its version left it, and after this version has opened it. */
const golden = Effect.forEach(Golden.versions, (version) =>
  Effect.gen(function* () {
    const isEnough = (looks: number) => Effect.succeed(looks >= wanted)
    const data = yield* Golden.copied(Golden.golden(version))
    yield* tell(`version ${version}`, yield* Looks.until(data, isEnough))
    yield* Effect.scoped(Layer.build(Load.engine(data, shape, { recoverMillis: null })))
    yield* tell(`version ${version}, opened`, yield* Looks.until(data, isEnough))
  })
)

const atWork = Effect.gen(function* () {
  const data = yield* folder
  const context = yield* Layer.build(Load.engine(data, shape))
  for (let worker = 0; worker < 4; worker++) {
    yield* Effect.forkScoped(Effect.forever(Effect.provide(Load.life(shape), context)))
  }
  const end = (yield* Clock.currentTimeMillis) + minutes * 60_000
  const isEnough = (looks: number) => Effect.map(Clock.currentTimeMillis, (now) => now >= end && looks >= wanted)
  yield* tell("an engine at work", yield* Looks.until(data, isEnough))
})

await Effect.runPromise(
  Effect.zipRight(golden, atWork).pipe(Effect.scoped, Effect.provide(Logger.minimumLogLevel(LogLevel.Warning)))
)
process.exit(failed === 0 ? 0 : 1)
