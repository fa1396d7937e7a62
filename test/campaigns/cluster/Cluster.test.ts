/**
 * Runners in processes of their own over one PostgreSQL: what is lost, moved and reported when they die, stop and join.
 */
import { it } from "@effect/vitest"
import { Effect, Option, Redacted, Schedule, Stream } from "effect"
import { connect } from "node:net"
import { expect } from "vitest"
import { Actor, type Gateway, Message, Session, SkeinError } from "../../../src/index.js"
import { eventually } from "../../support/Eventually.js"
import { bundle } from "../../support/programs/Bundle.js"
import * as Postgres from "../../support/postgres/Postgres.js"
import { freePort } from "../../support/postgres/Server.js"
import * as Proxy from "../../support/postgres/Proxy.js"
import * as Process from "../../support/programs/Process.js"
import * as Cluster from "./Cluster.js"
import * as PeerProxy from "./PeerProxy.js"
import { quick } from "./Setup.js"
import * as Watching from "./Watching.js"

/** The first data that a port sends back for a text; nothing if it closes the connection. */
const answerTo = (port: number, text: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => connect({ host: "127.0.0.1", port })),
    (socket) =>
      Effect.async<string>((resume) => {
        socket.on("data", (bytes) => resume(Effect.succeed(String(bytes))))
        socket.on("error", () => {})
        socket.on("close", () => resume(Effect.succeed("")))
        socket.write(text)
      }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Whether a runner does the upkeep of the database, according to what it has logged so far. */
const upkeepOf = (runner: Cluster.Runner) =>
  Effect.gen(function* () {
    let keepsUp = false
    const listen = Effect.gen(function* () {
      for (;;) {
        const line = yield* runner.errorLine
        if (line._tag === "None") return
        if (line.value.includes("upkeep begins")) keepsUp = true
        if (line.value.includes("upkeep ends")) keepsUp = false
      }
    })
    yield* Effect.forkScoped(listen)
    return () => keepsUp
  })

/** A session with a run whose call goes on in one of the runners. */
const working = Effect.fnUntraced(function* (
  cluster: Effect.Effect.Success<typeof Cluster.make>,
  gateway: Gateway.Service,
  runners: ReadonlyArray<Cluster.Runner>
) {
  for (;;) {
    const { id } = yield* gateway.create({})
    const ref = yield* gateway.send({ sessionId: id, text: "call" })
    const began = Effect.asSome(cluster.working(runners, id))
    // A runner that stood still for longer than its lease has lost the run, whose call then ends and writes nothing.
    const ended = Stream.filter(gateway.events({ sessionId: id }), ({ type }) => type === "call.finished")
    const owner = yield* Effect.race(began, Effect.as(Stream.runHead(ended), Option.none()))
    if (Option.isSome(owner)) return { id, ref, owner: owner.value }
  }
})

Postgres.describe("a cluster of runners", () => {
  it.scopedLive("continues a killed runner's run in another runner, and runs no call twice", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const runners = yield* Effect.all([cluster.start(), cluster.start()], { concurrency: 2 })
      const gateway = yield* cluster.client
      const { id, owner, ref } = yield* working(cluster, gateway, runners)
      yield* owner.signal("SIGKILL")
      yield* cluster.openAll(id)
      const run = yield* gateway.await(ref)
      expect(run.stopReason).toBe("completed")
      expect(cluster.callsOf(id).length).toBe(1)
    })
  )

  it.scopedLive(
    "continues a stopped runner's run in another runner; the stopped one writes nothing more when it wakes",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster.make
        const runners = yield* Effect.all([cluster.start(), cluster.start()], { concurrency: 2 })
        const gateway = yield* cluster.client
        const { id, owner, ref } = yield* working(cluster, gateway, runners)
        yield* owner.signal("SIGSTOP")
        yield* cluster.openAll(id)
        const run = yield* gateway.await(ref)
        expect(run.stopReason).toBe("completed")
        const before = yield* Stream.runCollect(gateway.transcript({ sessionId: id }))
        yield* owner.signal("SIGCONT")
        // The runner serves again.
        const others = yield* Effect.forEach(Array.from({ length: 8 }), () =>
          Effect.flatMap(gateway.create({}), ({ id: sessionId }) => gateway.send({ sessionId, text: "plain" }))
        )
        expect((yield* Effect.forEach(others, gateway.await)).map(({ stopReason }) => stopReason)).toEqual(
          others.map(() => "completed")
        )
        expect(yield* Stream.runCollect(gateway.transcript({ sessionId: id }))).toEqual(before)
        expect(cluster.callsOf(id).length).toBe(1)
      })
  )

  it.scopedLive("a runner of an older version leaves the cluster when a newer version has migrated the database", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const url = Redacted.value(cluster.url)
      const runner = yield* cluster.start()
      const held = Postgres.once(url, `SELECT 1 FROM ${cluster.schema}.skein_locks`)
      const runners = Postgres.once(url, `SELECT 1 FROM ${cluster.schema}.skein_runners`)
      yield* eventually(held, ({ length }) => length > 0)
      yield* Postgres.once(url, `INSERT INTO ${cluster.schema}.migrations (version, name) VALUES (99, 'later')`)
      yield* eventually(runners, ({ length }) => length === 0)
      expect(yield* held).toEqual([])
      yield* runner.signal("SIGTERM")
      expect((yield* runner.ended).code).toBe(0)
    })
  )

  it.scopedLive("a runner that is told to end takes no new run, lets its own run end, and exits", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      // A runner that stands still for longer than its lease loses its runs: their calls may have written nothing.
      const settings = { ...quick, leaseMillis: 30_000, drainMillis: 60_000 }
      const runners = yield* Effect.all([cluster.start({ settings }), cluster.start({ settings })], { concurrency: 2 })
      const gateway = yield* cluster.client
      const { id, owner, ref } = yield* working(cluster, gateway, runners)
      yield* owner.signal("SIGTERM")
      const others = yield* Effect.forEach(Array.from({ length: 8 }), () => working(cluster, gateway, runners), {
        concurrency: 8
      })
      expect(others.filter((other) => other.owner === owner)).toEqual([])
      yield* cluster.openAll(id)
      expect((yield* gateway.await(ref)).stopReason).toBe("completed")
      expect(cluster.callsOf(id).length).toBe(1)
      expect((yield* owner.ended).code).toBe(0)
    })
  )

  it.scopedLive("has one runner do the database's upkeep, and another once that runner is killed", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const starting = Array.from({ length: 2 }, () => cluster.start({ debugs: true }))
      const runners = yield* Effect.all(starting, { concurrency: "unbounded" })
      const gateway = yield* cluster.client
      const upkeeps = yield* Effect.forEach(runners, (runner) =>
        Effect.map(upkeepOf(runner), (keepsUp) => ({ runner, keepsUp }))
      )
      // By then each runner has shards.
      const owners = new Set<Cluster.Runner>()
      yield* eventually(
        Effect.tap(working(cluster, gateway, runners), ({ id, owner }) =>
          Effect.zipRight(
            cluster.openAll(id),
            Effect.sync(() => owners.add(owner))
          )
        ),
        () => owners.size === runners.length
      )
      const keepers = () => upkeeps.filter(({ keepsUp }) => keepsUp())
      const [keeper] = yield* eventually(Effect.sync(keepers), (found) => found.length === 1)
      yield* keeper?.runner.signal("SIGKILL") ?? Effect.dieMessage("no runner does the upkeep")
      const next = () => keepers().filter((other) => other !== keeper)
      yield* eventually(Effect.sync(next), (found) => found.length === 1)
    })
  )

  it.scopedLive("interrupts no run when a runner joins, although shards move", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const first = yield* cluster.start()
      const gateway = yield* cluster.client
      const runs = yield* Effect.forEach(Array.from({ length: 12 }), () => working(cluster, gateway, [first]), {
        concurrency: 12
      })
      const second = yield* cluster.start()
      const later = yield* eventually(working(cluster, gateway, [first, second]), ({ owner }) => owner === second)
      yield* Effect.forEach([...runs, later], ({ id }) => cluster.openAll(id))
      const ends = yield* Effect.forEach([...runs, later], ({ ref }) => gateway.await(ref))
      expect(ends.filter(({ stopReason }) => stopReason !== "completed")).toEqual([])
      expect(runs.map(({ id }) => cluster.callsOf(id).length)).toEqual(runs.map(() => 1))
    })
  )

  it.scopedLive("a front end hears what a run writes without a gap or duplicate, even when the runner is killed", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const runners = yield* Effect.all([cluster.start(), cluster.start()], { concurrency: 2 })
      const gateway = yield* cluster.client
      const { id } = yield* gateway.create({})
      const watch = yield* Watching.make(gateway, id)
      const other = yield* Watching.make(gateway, id, true)
      const ref = yield* gateway.send({ sessionId: id, text: "call" })
      // Progress of calls is not kept in storage.
      expect(yield* watch.next("call.progress")).toMatchObject({ text: "working" })
      expect(yield* other.next("call.progress")).toMatchObject({ text: "working" })
      yield* cluster.open(id, "call")
      expect(yield* watch.next("text.delta")).toMatchObject({ offset: 0, text: "one " })
      const late = yield* Watching.make(gateway, id)
      expect(yield* late.next("text.delta")).toMatchObject({ offset: 0, text: "one " })
      yield* cluster.open(id, "text")
      yield* Effect.forEach([watch, other, late], (one) =>
        Effect.gen(function* () {
          yield* one.next("run.ended")
          expect(one.isWhole()).toBe(true)
          expect(one.text()).toBe("one two")
        })
      )
      expect((yield* gateway.await(ref)).stopReason).toBe("completed")

      const { id: next, owner, ref: second } = yield* working(cluster, gateway, runners)
      const watched = yield* Watching.make(gateway, next)
      yield* cluster.open(next, "call")
      expect(yield* watched.next("text.delta")).toMatchObject({ offset: 0, text: "one " })
      yield* owner.signal("SIGKILL")
      yield* cluster.open(next, "text")
      expect((yield* gateway.await(second)).stopReason).toBe("completed")
      yield* watched.next("run.ended")
      expect(watched.isWhole()).toBe(true)
    })
  )

  it.scopedLive(
    "a runner hears what another's run writes, and serves requests itself while it cannot reach the other",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster.make
        const port = yield* freePort
        const proxy = yield* PeerProxy.make(port)
        const other = yield* cluster.start({ port, address: proxy.port })
        const { id, ref } = yield* working(cluster, yield* cluster.client, [other])
        const gateway = yield* cluster.own({})
        const watch = yield* Watching.make(gateway, id)
        yield* watch.next("call.progress")
        yield* cluster.openAll(id)
        yield* gateway.await(ref)

        yield* proxy.cut
        const answers = yield* Effect.forEach(Array.from({ length: 8 }), () =>
          Effect.gen(function* () {
            const { id: sessionId } = yield* gateway.create({})
            yield* gateway.await(yield* gateway.send({ sessionId, text: "plain" }))
            const entry = yield* gateway.entry({ sessionId, seq: Session.Seq.make(2) })
            return Message.textOf(entry.message)
          })
        )
        expect(answers).toEqual(answers.map(() => "mine"))
      })
  )

  it.scopedLive("a front end without runners says that none can be reached, and can still read", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const gateway = yield* cluster.clientWith({ giveUpMillis: 1_500 })
      const { id } = yield* gateway.create({ title: "alone" })
      const error = yield* Effect.flip(gateway.send({ sessionId: id, text: "plain" }))
      expect(error).toMatchObject({ _tag: "RunnersUnreachable", sessionId: id, waitedMillis: 1_500 })
      expect((yield* gateway.session(id)).title).toBe("alone")
      expect(yield* gateway.recover()).toEqual([])
    })
  )

  it.scopedLive("a session with a placement runs only on a runner that serves it", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const [, here] = yield* Effect.all([cluster.start({ placements: [] }), cluster.start({ placements: ["disk"] })], {
        concurrency: 2
      })
      const gateway = yield* cluster.client
      yield* Effect.forEach(Array.from({ length: 4 }), () =>
        Effect.gen(function* () {
          const { id } = yield* gateway.create({ placement: "disk" })
          yield* gateway.send({ sessionId: id, text: "call" })
          yield* cluster.working([here], id)
        })
      )
      const hasty = yield* cluster.clientWith({ giveUpMillis: 1_500 })
      const { id: nowhere } = yield* gateway.create({ placement: "tape" })
      const error = yield* Effect.flip(hasty.send({ sessionId: nowhere, text: "plain" }))
      expect(error._tag).toBe("RunnersUnreachable")
    })
  )

  it.scopedLive("a front end gets a runner's refusals as the same typed errors, and one run per key", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const runner = yield* cluster.start()
      const gateway = yield* cluster.client
      const { id, ref } = yield* working(cluster, gateway, [runner])
      const busy = yield* Effect.flip(gateway.send({ sessionId: id, text: "more" }))
      expect(busy).toMatchObject({ _tag: "SessionBusy", runId: ref.runId })
      expect(busy).toBeInstanceOf(SkeinError.SessionBusy)
      const queued = { sessionId: id, text: "plain", idempotencyKey: "k", whenBusy: "queue" } as const
      const one = yield* gateway.send(queued)
      expect(yield* gateway.send(queued)).toEqual(one)
      const conflict = yield* Effect.flip(gateway.send({ ...queued, text: "other" }))
      expect(conflict._tag).toBe("IdempotencyConflict")
      yield* cluster.openAll(id)
      yield* gateway.await(one)
      const [stored] = yield* gateway.runs({ sessionId: id })
      expect(stored?.id).toBe(one.runId)
      expect((yield* gateway.resume(id)).runId).toBe(one.runId)
      const tables = yield* Postgres.once<{ readonly name: string }>(
        Redacted.value(cluster.url),
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1 AND table_name LIKE 'skein_%'",
        [cluster.schema]
      )
      expect(tables.map(({ name }) => name).toSorted()).toEqual([
        "skein_locks",
        "skein_runners",
        "skein_secret",
        "skein_shards"
      ])
    })
  )

  it.scopedLive("members with another number of shards are refused until no runner is left", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const refused = { _tag: "InvalidInput", field: "shards", limit: "32, like the cluster's runners" }
      // A front end states no number of shards, and may be there before the runners.
      yield* Effect.scoped(cluster.clientWith({ shards: 8 }))
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* cluster.own({})
          for (const member of [cluster.own({ shards: 33 }), cluster.clientWith({ shards: 33 })]) {
            expect(yield* Effect.flip(Effect.scoped(member))).toMatchObject({ ...refused, actual: "33" })
          }
          yield* cluster.clientWith({ shards: 32 })
        })
      )
      yield* Effect.retry(Effect.scoped(cluster.own({ shards: 33 })), Schedule.spaced("200 millis"))
      expect(yield* Effect.flip(Effect.scoped(cluster.own({})))).toMatchObject({ field: "shards", actual: "32" })
    })
  )

  it.scopedLive("a runner hangs up on a client that does not send the secret of the database", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const { port } = yield* cluster.start()
      const ping = `${JSON.stringify({ _tag: "Ping" })}\n`
      expect(yield* answerTo(port, ping.repeat(10))).toBe("")
      const [row] = yield* Postgres.once<{ readonly secret: string }>(
        Redacted.value(cluster.url),
        `SELECT secret FROM ${cluster.schema}.skein_secret`
      )
      expect(yield* answerTo(port, `${JSON.stringify(row?.secret)}\n${ping}`)).toContain("Pong")
    })
  )

  it.scopedLive("a front end cancels a run, and the end of the run records who cancelled it", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const runner = yield* cluster.start()
      const gateway = yield* cluster.client
      const { id, ref } = yield* working(cluster, gateway, [runner])
      yield* Actor.as(Actor.Actor.make("eve"))(gateway.cancel(ref.runId))
      const [run] = yield* gateway.runs({ sessionId: id })
      expect(run).toMatchObject({ state: "ended", stopReason: "cancelled" })
      const events = yield* Stream.runCollect(
        Stream.takeUntil(gateway.events({ sessionId: id }), ({ type }) => type === "run.ended")
      )
      expect(Array.from(events).at(-1)).toMatchObject({ type: "run.ended", actor: "eve" })
    })
  )

  it.scopedLive("members whose database connections are ended again and again lose nothing and do nothing twice", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster.make
      const runners = yield* Effect.all([cluster.start(), cluster.start()], { concurrency: 2 })
      const gateway = yield* cluster.client
      const sessions = yield* Effect.forEach(Array.from({ length: 10 }), () => gateway.create({}))
      yield* Effect.forkScoped(
        Effect.repeat(Postgres.terminateAll(Redacted.value(cluster.url)), Schedule.spaced("700 millis"))
      )
      yield* Effect.forEach(
        sessions,
        ({ id }) =>
          Effect.gen(function* () {
            yield* cluster.openAll(id)
            const asked = { sessionId: id, text: "call", idempotencyKey: id }
            // What the database refuses meanwhile is tried again, with the same key.
            const ref = yield* Effect.retry(gateway.send(asked), Schedule.spaced("100 millis"))
            const run = yield* Effect.retry(gateway.await(ref), Schedule.spaced("100 millis"))
            expect(run.stopReason).toBe("completed")
            // A run that was released before its call had begun to work has closed the call.
            expect(cluster.callsOf(id).length).toBeLessThan(2)
          }),
        { concurrency: "unbounded" }
      )
      yield* Effect.forEach(runners, ({ signal }) => signal("SIGTERM"))
      expect((yield* Effect.forEach(runners, ({ ended }) => ended)).map(({ code }) => code)).toEqual([0, 0])
    })
  )

  it.scopedLive("the guide's runners answer its front end, and end when they are told to", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.database
      const examples = new URL("../../examples/readme/", import.meta.url)
      const [runner, frontend] = yield* Effect.all([
        bundle(new URL("runner.ts", examples), { whole: true }),
        bundle(new URL("frontend.ts", examples), { whole: true })
      ])
      const env = { PATH: process.env["PATH"] ?? "", DATABASE_URL: url, HOST: "127.0.0.1" }
      const runners = yield* Effect.forEach(Array.from({ length: 2 }), () =>
        Effect.flatMap(freePort, (port) =>
          Process.start(process.execPath, [runner], { env: { ...env, PORT: `${port}` } })
        )
      )
      const { code, stdout } = yield* (yield* Process.start(process.execPath, [frontend], { env })).ended
      expect({ code, stdout }).toEqual({ code: 0, stdout: "Yarn, wound in one order.\n" })
      yield* Effect.forEach(runners, ({ signal }) => signal("SIGTERM"))
      const ends = yield* Effect.forEach(runners, ({ ended }) => ended)
      expect(ends.map(({ code }) => code)).toEqual([0, 0])
    })
  )
})

Postgres.describeOwn("a cluster of runners over a server with a synchronous standby", () => {
  it.scopedLive(
    "goes on when the server is killed and the standby takes over: no message is lost, and no call runs twice",
    () =>
      Effect.gen(function* () {
        const primary = yield* Postgres.server
        const standby = yield* Effect.orDie(primary.standby)
        const { redirect, statements, until, url } = yield* Proxy.make(primary.url)
        const cluster = yield* Cluster.over({ url: Redacted.make(url), schema: "skein" })
        const runners = yield* Effect.all([cluster.start(), cluster.start()], { concurrency: 2 })
        const gateway = yield* cluster.client
        const begun = yield* Effect.forEach(Array.from({ length: 6 }), () => working(cluster, gateway, runners), {
          concurrency: "unbounded"
        })
        yield* primary.kill
        yield* redirect(standby.url)
        const before = statements.length
        yield* until(() => statements.length > before + 20)
        yield* Effect.forEach(begun, ({ id }) => cluster.openAll(id))
        yield* Postgres.once(standby.url, "SELECT pg_promote()")
        for (const { id, ref } of begun) {
          const run = yield* Effect.retry(gateway.await(ref), Schedule.spaced("100 millis"))
          expect(run.stopReason).toBe("completed")
          expect(cluster.callsOf(id).length).toBe(1)
        }
        const { id, ref } = yield* Effect.retry(working(cluster, gateway, runners), Schedule.spaced("100 millis"))
        yield* cluster.openAll(id)
        expect((yield* gateway.await(ref)).stopReason).toBe("completed")
        yield* Effect.forEach(runners, ({ signal }) => signal("SIGTERM"))
        expect((yield* Effect.forEach(runners, ({ ended }) => ended)).map(({ code }) => code)).toEqual([0, 0])
      })
  )
})
