/**
 * `npm run chaos -- [--minutes 60] [--sessions 1000] [--runners 3] [--seed N] [--lease 4] [--every 10] [--message 60]
 * [--silence 30] [--work 1500] [--longEvery 50] [--least 5] [--most 60] [--verbose]`: a message a minute to each
 * session, and every ten seconds a runner that is killed, stopped, deployed, joined by another, or cut off from the
 * database or from the others. The cluster has its default settings, unless the lease is given in seconds: then all its
 * settings are brisk. One message in fifty makes its agent work for longer than any runner is stopped. Runs on a server
 * of its own, or in a database of its own on the server that SKEIN_TEST_POSTGRES names.
 * Prints what was done and what is broken, with the command that repeats the campaign.
 */
import { Effect } from "effect"
import { defaults } from "../../../src/services/EngineConfig.js"
import * as Databases from "../../support/postgres/Databases.js"
import * as Servers from "../../support/postgres/Server.js"
import * as Chaos from "./Chaos.js"

const option = (name: string): string | undefined => {
  const place = process.argv.indexOf(`--${name}`)
  return place === -1 ? undefined : process.argv[place + 1]
}
const number = (name: string, otherwise: number): number => Number(option(name) ?? otherwise)

const minutes = number("minutes", 60)
const sessions = number("sessions", 1_000)
const runners = number("runners", 3)
const seed = number("seed", 1 + (process.pid % 10_000))
const leaseSeconds = option("lease")
const leaseMillis = leaseSeconds === undefined ? defaults.leaseMillis : Number(leaseSeconds) * 1_000
const silenceSeconds = number("silence", (2 * leaseMillis) / 1_000)
const every = number("every", 10)
const messageSeconds = number("message", 60)
const workMillis = number("work", 1_500)
const stops = [number("least", 5), number("most", 60)] as const
const longEvery = number("longEvery", 50)
/** Of the long runs that a runner has when it is stopped, half are not over after the longest stop. */
const longCalls = Math.ceil((1_000 * (1.5 * stops[1])) / workMillis)
const lease = leaseSeconds === undefined ? {} : { lease: leaseSeconds }
const given = {
  minutes,
  sessions,
  runners,
  seed,
  ...lease,
  every,
  message: messageSeconds,
  work: workMillis,
  longEvery
}
const asked = { ...given, silence: silenceSeconds, least: stops[0], most: stops[1] }
const again = `npm run chaos -- ${Object.entries(asked)
  .map(([name, value]) => `--${name} ${value}`)
  .join(" ")}`

const shared = process.env["SKEIN_TEST_POSTGRES"]
const server =
  shared === undefined
    ? Effect.map(
        Effect.flatMap(Servers.make(), ({ start }) => start),
        ({ url }) => url
      )
    : Effect.succeed(shared)

const report = await Effect.runPromise(
  Effect.gen(function* () {
    const url = yield* Databases.empty({ url: yield* server, prefix: "skein_chaos" })
    console.log(again)
    return yield* Chaos.play(
      {
        seed,
        millis: minutes * 60_000,
        sessions,
        runners,
        messageMillis: messageSeconds * 1_000,
        faultMillis: every * 1_000,
        stopMillis: [stops[0] * 1_000, stops[1] * 1_000],
        leaseMillis,
        isByDefault: leaseSeconds === undefined,
        silenceMillis: silenceSeconds * 1_000,
        workMillis,
        longEvery,
        longCalls
      },
      url,
      process.argv.includes("--verbose") ? console.error : undefined
    )
  }).pipe(Effect.scoped)
)
const { ended, failure, ...counts } = report
console.log(
  JSON.stringify(
    {
      ...counts,
      ends: Object.fromEntries(ended?.ends ?? []),
      outcomes: Object.fromEntries(ended?.outcomes ?? []),
      calls: ended?.calls
    },
    null,
    2
  )
)
console.log(failure === null ? "every promise held" : `broken: ${failure}\n  ${again}`)
process.exit(failure === null ? 0 : 1)
