/** What users of a server notice: how soon a change reaches a client, sends, and a thousand clients of one session. */
import { once } from "node:events"
import { Agent, createServer, request } from "node:http"
import { performance } from "node:perf_hooks"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpServer from "@effect/platform/HttpServer"
import { Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { SkeinHttp } from "../../src/http.js"
import { Gateway, Model, Run } from "../../src/index.js"
import * as ScriptedModel from "../../src/services/ScriptedModel.js"
import * as Crowd from "./Crowd.js"
import * as Measure from "./Measure.js"
import type { Row } from "./Row.js"
import * as Watching from "./Watching.js"

/** Runs a server of the gateway on a free loopback port while something is measured. */
const served = <A, E, R>(use: (port: number, gateway: Gateway.Service) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const scope = yield* Scope.make()
    const server = NodeHttpServer.layer(SkeinHttp.createServer, { port: 0, host: "127.0.0.1" })
    const context = yield* Layer.buildWithScope(
      Layer.provideMerge(SkeinHttp.serve, server).pipe(
        Layer.provide([SkeinHttp.everybody, Layer.succeed(Gateway.Gateway, gateway)])
      ),
      scope
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const port = address._tag === "TcpAddress" ? address.port : 0
    return yield* Effect.ensuring(use(port, gateway), Scope.close(scope, Exit.void))
  })

const connections = new Agent({ keepAlive: true, maxSockets: 64 })

/** Sends JSON and returns the text of the answer. */
const sent = (port: number, method: string, path: string, body: object) =>
  Effect.async<string, Error>((resume) => {
    const headers = { "content-type": "application/json" }
    const given = { host: "127.0.0.1", port, method, path, headers, agent: connections }
    const asked = request(given, (answer) => {
      let text = ""
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece))
      answer.on("end", () => resume(Effect.succeed(text)))
    })
    asked.on("error", (error) => resume(Effect.fail(error)))
    asked.end(JSON.stringify(body))
  })

const decodeRef = Schema.decodeUnknown(Schema.parseJson(Run.Ref))

const now = () => performance.timeOrigin + performance.now()

/** From the request for a rename until its event reaches another process, over one connection each. */
export const latency = (count: number, aim: string): Promise<Row> =>
  Watching.withEngine(Model.always(ScriptedModel.make([])), (run) =>
    run(
      served((port, gateway) =>
        Effect.gen(function* () {
          const { id } = yield* gateway.create({ workdir: "/" })
          const crowd = yield* Effect.promise(() => Crowd.start(port, `/v1/sessions/${id}/events`, 1))
          const times: Array<number> = []
          for (let nth = 1; nth <= count; nth++) {
            const told = crowd.told(`renamed ${nth}.`)
            yield* Effect.sleep(5)
            const from = now()
            yield* sent(port, "PATCH", `/v1/sessions/${id}`, { title: `renamed ${nth}.` })
            times.push((yield* Effect.promise(() => told)).first - from)
          }
          yield* Effect.promise(crowd.end)
          const [p50, p99] = [Measure.median(times), Measure.quantile(times, 0.99)]
          return {
            name: `HTTP: from a rename to its event at a client (${count} times)`,
            value: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
            aim,
            numbers: { p50, p99 }
          }
        })
      )
    )
  )

/**
 * Sends with a model that answers immediately, to `sessions` sessions at the same time; in each session the next send
 * follows the end of the last run.
 */
export const sends = (sessions: number, each: number, aim: string): Promise<Row> => {
  const script = Array.from({ length: sessions * each + 1 }, () => ScriptedModel.text("done"))
  return Watching.withEngine(Model.always(ScriptedModel.make(script)), (run) =>
    run(
      served((port, gateway) =>
        Effect.gen(function* () {
          const all = yield* Effect.forEach(Array.from({ length: sessions }), () => gateway.create({ workdir: "/" }))
          const one = (sessionId: string) =>
            Effect.forEach(
              Array.from({ length: each }),
              () =>
                sent(port, "POST", `/v1/sessions/${sessionId}/messages`, { text: "go" }).pipe(
                  Effect.flatMap(decodeRef),
                  Effect.flatMap(gateway.await)
                ),
              { discard: true }
            )
          const start = performance.now()
          yield* Effect.forEach(all, ({ id }) => one(id), { concurrency: "unbounded", discard: true })
          const seconds = (performance.now() - start) / 1000
          const rate = (sessions * each) / seconds
          return {
            name: `HTTP: sends with whole runs, ${sessions} sessions at once`,
            value: `${rate.toFixed(0)} a second`,
            aim,
            numbers: { rate }
          }
        })
      )
    )
  )
}

/** KiB of memory per client that `count` more clients of a path take, when one client is already there. */
const heldBy = (port: number, path: string, count: number) =>
  Effect.gen(function* () {
    const alone = yield* Effect.promise(() => Crowd.start(port, path, 1))
    const before = yield* Watching.resident
    const crowd = yield* Effect.promise(() => Crowd.start(port, path, count))
    yield* Effect.sleep(1_000)
    return { alone, crowd, kib: ((yield* Watching.resident) - before) / 1024 / count }
  })

/** KiB per client of a bare Node server that writes one event to it and nothing else. */
const nodeAlone = (count: number) =>
  Effect.gen(function* () {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("event: synced\n\n")
    })
    yield* Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening"))
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const { alone, crowd, kib } = yield* heldBy(port, "/", count)
    yield* Effect.promise(() => Promise.all([alone.end(), crowd.end()]))
    server.close()
    return kib
  })

/**
 * A step of 40 deltas watched by `count` clients: when it ends, what each client holds, and the time between the first
 * and the last client's receipt of an event.
 */
export const clients = (count: number, aim: string): Promise<Row> =>
  Watching.withEngine(Model.always(Watching.writing), (run) =>
    run(
      served((port, gateway) =>
        Effect.gen(function* () {
          const { id } = yield* gateway.create({ workdir: "/" })
          const floor = yield* nodeAlone(count)
          const { alone, crowd, kib } = yield* heldBy(port, `/v1/sessions/${id}/events?deltas=true`, count)
          const told = crowd.told("all are there")
          yield* gateway.patch({ sessionId: id, title: "all are there" })
          const { first, last } = yield* Effect.promise(() => told)
          const start = performance.now()
          yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
          const millis = performance.now() - start
          yield* Effect.promise(crowd.end)
          yield* Effect.promise(alone.end)
          return {
            name: `HTTP: ${count} clients of a session, a step of 40 deltas 50 ms apart`,
            value: `${(millis / 1_000).toFixed(2)} s, ${kib.toFixed(1)} KiB a client (${floor.toFixed(1)} of them Node's own), an event from the first to the last in ${(last - first).toFixed(0)} ms`,
            aim,
            numbers: { millis, kib, floor, spread: last - first }
          }
        })
      )
    )
  )
