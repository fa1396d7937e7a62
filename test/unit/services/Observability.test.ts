import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, LogLevel, Metric, Schema, Stream, TestClock, Tracer } from "effect"
import Sqlite from "better-sqlite3"
import { join } from "node:path"
import { Gateway, Permissions, Run, Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { SkeinTest } from "skein/testing"
import { layerIds } from "../../../src/adapters/node/Identity.js"
import * as SqliteStorage from "../../../src/adapters/sqlite/SqliteStorage.js"
import * as SqliteDatabase from "../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import * as Metrics from "../../../src/services/Metrics.js"
import { StorageFailed } from "../../../src/domain/SkeinError.js"
import { Storage } from "../../../src/services/storage/Storage.js"
import { FilesFailed } from "../../../src/services/assets/AssetFiles.js"
import { open } from "./runtime/fixture.js"
import { ground } from "./runtime/engines.js"
import { folder } from "./storage/disk.js"
import { newSession, s1 } from "../../../src/adapters/testing/storage/fixture.js"

const secret = "CANARY-7f3a"

interface Seen {
  readonly name: string
  /** Its events, and what it failed with. */
  readonly told: Array<string>
  readonly attributes: ReadonlyMap<string, unknown>
}

/** A host's own tracer, which keeps the spans that it receives. */
const recording = () => {
  const spans: Array<Seen> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const told: Array<string> = []
      spans.push({ name, attributes, told })
      return {
        _tag: "Span",
        name,
        spanId: `${spans.length}`,
        traceId: "trace",
        parent,
        context,
        links,
        sampled: true,
        kind,
        status: { _tag: "Started", startTime },
        attributes,
        attribute: (key, value) => void attributes.set(key, value),
        event: (name, _, attributes) => void told.push(JSON.stringify([name, attributes])),
        addLinks: () => {},
        end: (_, exit) => void told.push(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
      }
    },
    context: (run) => run()
  })
  return { spans, layer: Layer.setTracer(tracer) }
}

interface Parts {
  readonly policy: Permissions.Policy
  readonly tool?: (text: string) => Effect.Effect<string, unknown>
  /** What the model does first. Defaults to a call with the secret as its input. */
  readonly step?: ReturnType<typeof ScriptedModel.text>
}

/** One turn with a call, as a host's tracer and logger see it. */
const turn = (
  traceContent: boolean,
  { policy, step, tool = Effect.succeed }: Parts = { policy: Permissions.allowAll }
) =>
  Effect.gen(function* () {
    const echo = Tool.make("echo", { description: "echoes", input: { text: Schema.String } }).handle(({ text }) =>
      tool(text)
    )
    const { layer, spans } = recording()
    const lines: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.map(Logger.logfmtLogger, (line) => void lines.push(line))
    )
    const engine = SkeinTest.layer({ tools: [echo], policy }, { traceContent }).pipe(
      Layer.provide([layer, logger, Logger.minimumLogLevel(LogLevel.All)])
    )
    const ref = yield* Effect.gen(function* () {
      const gateway = yield* Gateway.Gateway
      const model = yield* ScriptedModel.ScriptedModel
      const call = ScriptedModel.calls(ScriptedModel.call(echo, { text: secret }))
      yield* model.play(step ?? call, ScriptedModel.text(secret))
      const { id } = yield* gateway.create({ workdir: "/" })
      const ref = yield* gateway.send({ sessionId: id, text: secret })
      yield* Effect.exit(Run.answer(ref))
      yield* Stream.runDrain(gateway.transcript({ sessionId: id }))
      return ref
    }).pipe(Effect.provide(engine), Effect.provide(layer))
    return { lines, ref, spans }
  })

const named = (spans: ReadonlyArray<Seen>, name: string) =>
  spans.filter((span) => span.name === name).map(({ attributes }) => Object.fromEntries(attributes))

describe("what is seen from outside", () => {
  it.effect("a host's tracer gets the public operations and the run's work, with their ids", () =>
    Effect.gen(function* () {
      const { ref, spans } = yield* turn(false)
      const { runId, sessionId } = ref
      expect(named(spans, "Gateway.create")).toMatchObject([{ sessionId }])
      expect(named(spans, "Gateway.send")).toMatchObject([{ sessionId, runId }])
      expect(named(spans, "Gateway.await")).toMatchObject([{ sessionId, runId }])
      expect(named(spans, "Gateway.transcript")).toMatchObject([{ sessionId }])
      expect(named(spans, "Turns.run")).toMatchObject([{ sessionId, runId }])
      expect(named(spans, "Steps.run")).toMatchObject([
        { sessionId, runId },
        { sessionId, runId }
      ])
      expect(named(spans, "Calls.run")).toMatchObject([{ sessionId, runId, callId: expect.any(String), tool: "echo" }])
    })
  )

  it.effect("no text of a message, input or result is in a log line, nor in a span unless the host asks for it", () =>
    Effect.gen(function* () {
      const texts = ({
        lines,
        spans
      }: {
        readonly lines: ReadonlyArray<string>
        readonly spans: ReadonlyArray<Seen>
      }) => JSON.stringify([lines, spans.map(({ attributes }) => [...attributes])])
      expect(texts(yield* turn(false))).not.toContain(secret)
      const { lines, spans } = yield* turn(true)
      expect(named(spans, "Gateway.send")).toMatchObject([{ text: secret }])
      expect(named(spans, "ResultStore.store")).toMatchObject([{ text: secret }])
      expect(named(spans, "Calls.run")).toMatchObject([{ input: JSON.stringify({ text: secret }) }])
      expect(lines.join("\n")).not.toContain(secret)
    })
  )

  for (const [name, parts] of Object.entries({
    "a policy that breaks": { policy: ({ input }) => Effect.dieMessage(`no rule for ${input}`) },
    "a policy that throws": {
      policy: ({ input }) => {
        throw new Error(`no rule for ${input}`)
      }
    },
    "a policy that breaks later": {
      policy: ({ input }) => Effect.zipRight(Effect.yieldNow(), Effect.dieMessage(`no rule for ${input}`))
    },
    "a tool that fails": { policy: Permissions.allowAll, tool: (text) => Effect.fail(`no ${text}`) },
    "a tool that breaks": { policy: Permissions.allowAll, tool: (text) => Effect.dieMessage(`no ${text}`) },
    "a tool with a span of its own that fails": {
      policy: Permissions.allowAll,
      tool: (text) => Effect.withSpan(Effect.fail(new Error(`no ${text}`)), "own")
    },
    "a tool with a span of its own that breaks": {
      policy: Permissions.allowAll,
      tool: (text) => Effect.withSpan(Effect.die({ [text]: text }), "own")
    },
    "a model that fails": {
      policy: Permissions.allowAll,
      step: { failure: { reason: "rejected", detail: `no ${secret}` } }
    },
    "a model that calls a tool by a name": {
      policy: Permissions.allowAll,
      step: ScriptedModel.calls({ name: `tool-${secret}`, input: {} })
    }
  } satisfies Record<string, Parts>)) {
    it.effect(`${name} with what was said in its words puts it in no log line and no span`, () =>
      Effect.gen(function* () {
        const { lines, spans } = yield* turn(false, parts)
        expect(spans.map(({ name }) => name)).toContain("Turns.run")
        if (parts.tool !== undefined) expect(spans.map(({ name }) => name)).toContain("Calls.run")
        expect(lines.join("\n")).not.toContain(secret)
        expect(spans.map(({ attributes, told }) => [...attributes, ...told].join())).not.toEqual(
          expect.arrayContaining([expect.stringContaining(secret)])
        )
      })
    )
  }

  it.effect("a span that fails says what failed, and with what was said only if the host asks for it", () =>
    Effect.gen(function* () {
      const tool = () => Effect.withSpan(Effect.fail(new StorageFailed({ operation: secret, code: "EIO" })), "own")
      const own = ({ spans }: Effect.Effect.Success<ReturnType<typeof turn>>) =>
        spans.flatMap(({ name, told }) => (name === "own" ? told : [])).join("\n")
      const parts = { policy: Permissions.allowAll, tool }
      expect(own(yield* turn(false, parts))).toMatch(/^StorageFailed: EIO$/)
      expect(own(yield* turn(true, parts))).toContain(secret)
    })
  )

  it.effect("a refused request ends its span without what was given", () =>
    Effect.gen(function* () {
      const { layer, spans } = recording()
      const engine = Layer.provide(SkeinTest.layer({ tools: [], policy: Permissions.allowAll }), layer)
      yield* Effect.gen(function* () {
        const { create } = yield* Gateway.Gateway
        yield* Effect.flip(create({ workdir: `not absolute: ${secret}` }))
      }).pipe(Effect.provide(engine), Effect.provide(layer))
      const told = spans.flatMap(({ name, told }) => (name === "Gateway.create" ? told : []))
      expect(told).toEqual(["InvalidInput: InvalidInput"])
    })
  )

  it.scoped("a file that cannot be read ends all spans without the words of its store", () =>
    Effect.gen(function* () {
      const { layer, spans } = recording()
      const { open } = yield* ground
      const { gateway, session } = yield* open("a", {
        files: (own) => ({ ...own, read: () => Stream.fail(new FilesFailed({ missing: false, detail: secret })) })
      })
      const { id } = yield* session()
      const content = Stream.make(new TextEncoder().encode("text"))
      const asset = yield* gateway.saveAsset({ sessionId: id, mediaType: "text/plain", content })
      const reading = Stream.runDrain(gateway.openAsset({ sessionId: id, assetId: asset.id }))
      expect((yield* Effect.flip(Effect.provide(reading, layer)))._tag).toBe("AssetFailed")
      expect(spans.map(({ name, told }) => [name, ...told])).toEqual([
        ["Gateway.openAsset", "AssetFailed: AssetFailed"],
        ["Assets.open", "AssetFailed: AssetFailed"]
      ])
    })
  )

  it.effect("an idle engine that looks for runs that others left begins no span", () =>
    Effect.gen(function* () {
      const { layer, spans } = recording()
      const engine = SkeinTest.layer({ tools: [], policy: Permissions.allowAll }, { recoverMillis: 1000 })
      yield* Effect.gen(function* () {
        const begun = spans.length
        yield* TestClock.adjust("1 minute")
        expect(spans.slice(begun).map(({ name }) => name)).toEqual([])
      }).pipe(Effect.provide(Layer.provide(engine, layer)))
    })
  )

  it.effect("a host's logger gets what the engine logs", () =>
    Effect.gen(function* () {
      const { lines, ref } = yield* turn(false)
      expect(lines.find((line) => line.includes("a run ended"))).toContain(ref.runId)
    })
  )
})

const count = (metric: typeof Metrics.writeWait) => Effect.map(Metric.value(metric), (state) => state.count)

describe("metrics", () => {
  const storage = Effect.map(folder, (directory) =>
    SqliteStorage.layerOver(SqliteDatabase.layer).pipe(
      Layer.provide([layerIds, Layer.succeed(DataDirectory, directory)]),
      Layer.fresh
    )
  )

  it.scopedLive("attempts that find another process's lock are counted", () =>
    Effect.gen(function* () {
      const directory = yield* folder
      const layer = SqliteStorage.layerOver(SqliteDatabase.layer).pipe(
        Layer.provide([layerIds, Layer.succeed(DataDirectory, directory)]),
        Layer.fresh
      )
      yield* Effect.gen(function* () {
        const { createSession } = yield* Storage
        const other = new Sqlite(join(directory, "skein.db"))
        yield* Effect.addFinalizer(() => Effect.sync(() => other.close()))
        const before = (yield* Metric.value(Metrics.busyRetries)).count
        other.exec("BEGIN IMMEDIATE")
        const writing = yield* Effect.fork(createSession(newSession()))
        yield* Effect.repeat(Metric.value(Metrics.busyRetries), { until: ({ count }) => count > before + 1 })
        other.exec("COMMIT")
        yield* Fiber.join(writing)
      }).pipe(Effect.provide(layer))
    })
  )

  it.scopedLive("every write is counted once in its wait and its commit", () =>
    Effect.gen(function* () {
      const all = [Metrics.writeWait, Metrics.writesPerCommit, Metrics.commitTime, Metrics.writeHold]
      const layer = yield* storage
      yield* Effect.gen(function* () {
        const { createSession, patch } = yield* Storage
        yield* createSession(newSession())
        const before = yield* Effect.forEach(all, (metric) => Metric.value(metric))
        yield* Effect.forEach([1, 2, 3], (n) => patch(s1, { title: `Title ${n}` }), { concurrency: "unbounded" })
        const after = yield* Effect.forEach(all, (metric) => Metric.value(metric))
        const more = after.map((state, at) => state.count - (before[at]?.count ?? 0))
        expect(more[0]).toBe(3)
        expect((after[1]?.sum ?? 0) - (before[1]?.sum ?? 0)).toBe(3)
        expect(more[2]).toBe(more[1])
        expect(more[3]).toBeGreaterThanOrEqual(more[1] ?? 0)
      }).pipe(Effect.provide(layer))
    })
  )

  it.scoped("tools are timed by name, live runs are counted, and the lag of events is measured", () =>
    Effect.gen(function* () {
      const tool = Tool.make("timed", { description: "is timed", input: {} }).handle(() =>
        Effect.map(Metric.value(Metrics.liveRuns), ({ value }) => `${value >= 1}`)
      )
      const { begin, gateway, lines, model, seen } = yield* open({ tools: [tool] })
      const before = yield* count(Metrics.eventLag)
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(tool, {})), ScriptedModel.text("done"))
      const run = yield* begin("go")
      yield* seen(run, "run.ended")
      expect((yield* gateway.await(run)).stopReason).toBe("completed")
      expect(yield* lines(run.sessionId)).toContain("timed success: true")
      expect((yield* Metric.value(Metric.tagged(Metrics.toolTime, "tool", "timed"))).count).toBe(1)
      expect(yield* count(Metrics.eventLag)).toBeGreaterThan(before)
    })
  )

  it.scoped("runs that are taken over are counted by reason", () =>
    Effect.gen(function* () {
      const crashed = Metric.tagged(Metrics.recoveredRuns, "reason", "crashed")
      const before = (yield* Metric.value(crashed)).count
      const { declare, model, open } = yield* ground
      const one = yield* open("one")
      const other = yield* open("other")
      yield* model.play({ text: "half", hang: true }, ScriptedModel.text("done"))
      const run = yield* one.begin("go")
      yield* one.seen(run, "text.delta")
      yield* declare("one", "dead")
      yield* other.gateway.await(yield* other.send(run.sessionId, "again"))
      expect((yield* Metric.value(crashed)).count - before).toBe(1)
    })
  )
})
