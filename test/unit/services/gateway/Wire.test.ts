/**
 * What crosses a wire: the payloads, successes and errors of all operations. Each object in them has a name, so that
 * documents that describe them have components, and each of their values survives JSON and back.
 */
import { describe, expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, JSONSchema, Predicate, Schema, SchemaAST } from "effect"
import { Gateway, SkeinError } from "skein"

/** Bytes have no JSON: a server sends them as they are. Void has no JSON either. */
const hasJson = (name: string, { ast }: Schema.Schema.AnyNoContext) =>
  name !== "openAsset" && !SchemaAST.isVoidKeyword(ast)

const wire = Object.values(Gateway.operations).flatMap(({ error, name, payload, success }) =>
  Object.entries({ payload, success, error }).flatMap(([part, schema]) =>
    part !== "success" || hasJson(name, schema)
      ? [{ title: `${name}: ${part}`, schema: Schema.make<unknown, unknown, never>(schema.ast) }]
      : []
  )
)

type Rules = Readonly<Record<string, unknown>>

/** The objects with fields that have no name of their own in a JSON Schema, by their fields. */
const unnamed = (rules: unknown, isNamed = false): ReadonlyArray<string> => {
  if (Array.isArray(rules)) return rules.flatMap((one) => unnamed(one))
  if (!Predicate.isReadonlyRecord(rules)) return []
  const { $defs: definitions = {}, properties = {}, ...rest } = rules
  const fields = Predicate.isReadonlyRecord(properties) ? properties : {}
  const own = Object.keys(fields).length > 0 && !isNamed ? [Object.keys(fields).join()] : []
  const named = Predicate.isReadonlyRecord(definitions) ? Object.values(definitions) : []
  return [
    ...own,
    ...named.flatMap((one) => unnamed(one, true)),
    ...[...Object.values(fields), ...Object.values(rest)].flatMap((one) => unnamed(one))
  ]
}

const definitionsOf = (schema: Schema.Schema.AnyNoContext): Rules => {
  const { $defs = {} } = JSONSchema.make(schema)
  return { ...$defs }
}

const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("what crosses a wire", () => {
  it("has a name for each object in it", () => {
    for (const { schema, title } of wire) expect([title, unnamed(JSONSchema.make(schema))]).toEqual([title, []])
    for (const { error, name } of Object.values(Gateway.operations)) {
      const schema = SkeinError.withMessage(Schema.make<Error, object, never>(error.ast))
      expect([name, unnamed(JSONSchema.make(schema))]).toEqual([name, []])
    }
  })

  it("uses each name for only one thing", () => {
    const known = new Map<string, { readonly title: string; readonly rules: unknown }>()
    for (const { schema, title } of wire) {
      for (const [name, rules] of Object.entries(definitionsOf(schema))) {
        const first = known.get(name) ?? { title, rules }
        known.set(name, first)
        expect([name, first.title, title, rules]).toEqual([name, first.title, title, first.rules])
      }
    }
    expect([...known.keys()]).toEqual(
      expect.arrayContaining([
        "Snapshot",
        "SessionPage",
        "SessionQuery",
        "OpenBatch",
        "Live",
        "SessionChange",
        "Question"
      ])
    )
  })

  for (const { schema, title } of wire) {
    it.prop(
      `${title} goes through JSON and back`,
      [Arbitrary.make(Schema.encodedBoundSchema(schema))],
      ([given]) => {
        const decode = Schema.decodeUnknownEither(schema)
        const encode = Schema.encodeSync(schema)
        const received = decode(throughJson(given))
        // Values of unknown type may contain what JSON does not have; those fields are lost before they get here.
        FastCheck.pre(Either.isRight(received))
        const sent = throughJson(encode(Either.getOrThrow(received)))
        expect(throughJson(encode(Either.getOrThrow(decode(sent))))).toEqual(sent)
      },
      { fastCheck: { numRuns: 30 } }
    )
  }

  for (const { error, name } of Object.values(Gateway.operations)) {
    const schema = Schema.make<Error & { readonly _tag: string }, { readonly _tag: string }, never>(error.ast)
    it.prop(
      `${name}: its errors have a tag, their fields and a message for people`,
      [Arbitrary.make(schema)],
      ([given]) => {
        const wired = SkeinError.withMessage(schema)
        const failure = Schema.decodeUnknownSync(schema)(throughJson(Schema.encodeSync(schema)(given)))
        const sent = throughJson(Schema.encodeSync(wired)(failure))
        const { message } = failure
        expect(sent).toEqual(throughJson({ ...Schema.encodeSync(schema)(failure), message }))
        expect(sent).toMatchObject({ _tag: failure._tag })
        expect(Schema.decodeUnknownSync(wired)(sent)).toEqual(failure)
      },
      { fastCheck: { numRuns: 30 } }
    )
  }
})
