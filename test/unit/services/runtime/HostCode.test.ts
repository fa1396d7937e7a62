import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream, TestClock } from "effect"
import { Agents, Model, Permissions, type Run, Tool, Usage } from "skein"
import { Gate, Quiescence } from "skein/testing"
import type { AssetFiles } from "../../../../src/services/assets/AssetFiles.js"
import { ground, type Options } from "./engines.js"
import type { Opened } from "./fixture.js"

/** Asks for a call, then for nothing more. */
const calling: Model.Model = {
  provider: "test",
  model: "calling",
  contextTokens: null,
  step: ({ view }) => {
    const call = { type: "call", index: 0, name: "tool", input: "{}", providerCallId: "c" } as const
    const finish = { type: "finish", reason: "stop", usage: Usage.unknown } as const
    return Stream.make(...(view.at(-1)?.role === "tool" ? [] : [call]), finish)
  }
}
const text = { type: "text", id: "t", delta: "hm" } as const

const models = Model.always(calling)

const tool = (run: Effect.Effect<unknown>) =>
  Tool.make("tool", { description: "a tool", input: {} }).handle(() => run, { timeout: "1 hour" })

const reading = (read: Effect.Effect<never>) =>
  Tool.make("tool", {
    description: "takes its time to read its input",
    input: {
      text: Schema.transformOrFail(Schema.UndefinedOr(Schema.String), Schema.String, {
        decode: () => read,
        encode: () => read
      })
    }
  }).handle(() => Effect.succeed("done"), { timeout: "1 hour" })

interface Place {
  readonly options: (work: Effect.Effect<never>) => Options
  /** What a client has to do before the engine gets there. */
  readonly goOn?: (engine: Opened, run: Run.Ref) => Effect.Effect<unknown, unknown>
}

/** What a host does for a run. */
const places: Readonly<Record<string, Place>> = {
  "choose its agent": {
    options: (work) => ({ agents: Layer.succeed(Agents.Agents, { resolve: () => work, offered: [] }) })
  },
  "choose its model": { options: (work) => ({ models: Model.resolve(() => work) }) },
  "ask its model": {
    options: (work) => ({
      models: Model.always({ ...calling, step: () => Stream.concat(Stream.make(text), Stream.fromEffect(work)) })
    })
  },
  "read a call's input": { options: (work) => ({ models, tools: [reading(work)] }) },
  "decide on a call": { options: (work) => ({ models, tools: [tool(Effect.void)], policy: () => work }) },
  "store a call's rule": {
    options: (work) => ({
      models,
      tools: [tool(Effect.void)],
      policy: () => Effect.succeed({ ...Permissions.ask, always: { pattern: "tool", store: work } })
    }),
    goOn: ({ gateway, seen }, run) =>
      Effect.flatMap(seen(run, "permission.asked"), ({ questionId }) =>
        gateway.answer({ questionId, verdict: "allow-always" })
      )
  },
  "run a call": { options: (work) => ({ models, tools: [tool(work)] }) }
}

/** What removes files, each over a store of files that never answers it. */
const removals: Readonly<Record<string, (never: Effect.Effect<never>) => Partial<AssetFiles["Type"]>>> = {
  "a deletion": (never) => ({ entries: () => never }),
  upkeep: (never) => ({ folders: never })
}

describe("P5 what a host does for a run", () => {
  for (const [what, { goOn = () => Effect.void, options }] of Object.entries(places)) {
    for (const [how, ending] of [
      ["ignores interruption", Effect.uninterruptible(Effect.never)],
      ["is cleaned up for ever", Effect.ensuring(Effect.never, Effect.never)]
    ] as const) {
      it.scoped(`P5 to ${what} holds up no cancel, no deletion and no closing if it ${how}`, () =>
        Effect.gen(function* () {
          const begun = yield* Effect.makeSemaphore(1)
          yield* begun.take(1)
          const { open, reader } = yield* ground
          const one = yield* open("one", options(Effect.zipRight(begun.release(1), ending)))
          const stuck = Effect.gen(function* () {
            const run = yield* one.begin("go")
            yield* goOn(one, run)
            yield* begun.take(1)
            return run
          })
          const cancelled = yield* stuck
          yield* one.gateway.cancel(cancelled.runId)
          expect((yield* one.gateway.run(cancelled.runId)).stopReason).toBe("cancelled")
          yield* one.gateway.delete((yield* stuck).sessionId)
          const left = yield* stuck
          const closing = yield* Effect.fork(one.close)
          yield* Quiescence.idle
          expect(yield* reader.run(left.runId)).toMatchObject({ releasedAt: expect.any(Number) })
          yield* TestClock.adjust("5 seconds")
          yield* Fiber.join(closing)
        })
      )
    }
  }

  for (const what of ["begin", "place"] as const) {
    it.scoped(`P5 to save a result's file has some seconds more, and no longer (${what})`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const { open, reader } = yield* ground
        const file = (name: string) => ({ name, mediaType: "text/plain", content: new Uint8Array([97]) })
        const output = Tool.result({ text: "made", files: [file("quick"), file("slow"), file("last")] })
        let saves = 0
        const one = yield* open("one", {
          models,
          tools: [tool(Effect.succeed(output))],
          files: (files) => {
            const held = <A, E>(does: Effect.Effect<A, E>) =>
              Effect.suspend(() =>
                ++saves === 2 ? Effect.uninterruptible(Effect.zipRight(gate.pass("save"), does)) : does
              )
            return what === "begin"
              ? { ...files, begin: (upload) => held(files.begin(upload)) }
              : { ...files, place: (upload, file) => held(files.place(upload, file)) }
          }
        })
        const run = yield* one.begin("go")
        yield* gate.reached("save")
        const cancelling = yield* Effect.fork(one.gateway.cancel(run.runId))
        yield* TestClock.adjust("4 seconds")
        yield* Quiescence.idle
        expect(cancelling.unsafePoll()).toBeNull()
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(cancelling)
        const [, , result] = yield* one.transcript(run.sessionId)
        expect(result?.message).toMatchObject({ outcome: "success", parts: [{ type: "file", name: "quick" }] })
        expect((yield* one.lines(run.sessionId))[2]?.split("\n")).toEqual([
          "tool success: made",
          '[The file "slow" was not kept: the run was stopped before it was saved.]',
          '[The file "last" was not kept: the run was stopped before it was saved.]'
        ])
        const closing = yield* Effect.fork(one.close)
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(closing)
        yield* gate.open("save")
        yield* Quiescence.idle
        expect(yield* reader.assets(run.sessionId)).toHaveLength(1)
      })
    )
  }

  for (const [what, files] of Object.entries(removals)) {
    it.scoped(`P11 to remove files holds up no closing for ever during ${what}`, () =>
      Effect.gen(function* () {
        const gate = yield* Gate.make
        const { open } = yield* ground
        const never = Effect.uninterruptible(Effect.zipRight(gate.pass("files"), Effect.never))
        const one = yield* open("one", { files: (own) => ({ ...own, ...files(never) }) })
        const { id } = yield* one.session()
        const deleting = yield* Effect.fork(Effect.uninterruptible(Effect.flip(one.gateway.delete(id))))
        yield* gate.reached("files")
        yield* gate.open("files")
        const closing = yield* Effect.fork(one.close)
        yield* Quiescence.idle
        expect(closing.unsafePoll()).toBeNull()
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(closing)
        if (what === "a deletion") expect(yield* Fiber.join(deleting)).toMatchObject({ code: "CLOSED" })
      })
    )
  }
})
