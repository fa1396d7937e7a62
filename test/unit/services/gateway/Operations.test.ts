/**
 * The list of operations: each is an operation of the Gateway, and none reaches another owner's session, whatever its
 * input.
 */
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Effect, FastCheck, Schema, SchemaAST, Stream } from "effect"
import { Gateway } from "skein"
import { ann, opened, secret } from "./owners.js"

type Name = keyof Gateway.Service

const isName = (name: string): name is Name => name in Gateway.operations
const names = Object.keys(Gateway.operations).filter(isName)

/** Calls an operation in the way that the list describes. */
const call = (gateway: Gateway.Service, name: Name, payload: Readonly<Record<string, unknown>>) => {
  const { arguments: fields, isStream } = Gateway.operations[name]
  const given = name === "saveAsset" || name === "importSessions" ? { ...payload, content: Stream.empty } : payload
  const args = fields === null ? [given] : fields.map((field) => payload[field])
  if (isStream) {
    const stream: (...args: ReadonlyArray<unknown>) => Stream.Stream<unknown, unknown> = Reflect.get(
      gateway,
      String(name)
    )
    return Effect.asVoid(Stream.runHead(stream(...args)))
  }
  const effect: (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown> = Reflect.get(
    gateway,
    String(name)
  )
  return effect(...args)
}

const payloadOf = (schema: Schema.Schema.AnyNoContext) => {
  const payloads: FastCheck.Arbitrary<Readonly<Record<string, unknown>>> = Arbitrary.make(Schema.typeSchema(schema))
  return payloads
}

const notFound = { session: "SessionNotFound", run: "RunNotFound", question: "QuestionNotFound" } as const

describe("operations", () => {
  it.scoped("are the Gateway's methods, each by its name", () =>
    Effect.map(opened, ({ all }) => {
      expect(Object.keys(all).sort()).toEqual([...names].sort())
      expect(names.map((name) => Gateway.operations[name].name)).toEqual(names)
    })
  )

  for (const name of names) {
    const { payload, whose } = Gateway.operations[name]
    it.scoped(`P7 ${name} neither returns nor changes what belongs to another owner, whatever its input`, () =>
      Effect.gen(function* () {
        const { all, assetId, bob, questionId, run } = yield* opened
        const { runId, sessionId } = run
        const everything = Effect.all([
          all.sessions({ owner: ann }),
          all.snapshot(sessionId),
          all.assets(sessionId),
          all.question(questionId),
          Stream.runCollect(all.transcript({ sessionId }))
        ])
        const before = yield* everything
        expect(JSON.stringify(before)).toContain(secret)
        const theirs = { sessionId, runId, questionId, assetId, sessionIds: [sessionId], id: sessionId, owner: ann }
        const fields = SchemaAST.getPropertySignatures(payload.ast).map((field) => String(field.name))
        const stolen = Object.fromEntries(Object.entries(theirs).filter(([field]) => fields.includes(field)))
        for (const given of FastCheck.sample(payloadOf(payload), 20)) {
          const outcome = yield* Effect.either(call(bob, name, { ...given, ...stolen }))
          if (whose !== "all") expect(outcome).toMatchObject({ left: { _tag: notFound[whose] } })
          expect(JSON.stringify(outcome)).not.toContain(secret)
        }
        expect(yield* everything).toEqual(before)
      })
    )
  }
})
