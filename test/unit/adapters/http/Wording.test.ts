/** What strangers are told about wrong requests and imports: words, whatever is wrong where. */
import * as HttpApi from "@effect/platform/HttpApi"
import { expect, it } from "@effect/vitest"
import { Arbitrary, Either, FastCheck, Option, Predicate, Schema, SchemaAST } from "effect"
import { api } from "../../../../src/adapters/http/Api.js"
import * as Export from "../../../../src/domain/Export.js"
import * as Refusal from "../../../../src/domain/Refusal.js"
import { operations } from "../../../../src/services/gateway/Operations.js"

const wrong: ReadonlyArray<unknown> = [
  undefined,
  null,
  -1.5,
  true,
  "",
  "a\u0000",
  "x".repeat(300),
  [],
  [1],
  {},
  { a: 1 }
]

/** A value with one wrong thing in it, in every place. */
const spoilt = (value: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) {
    const all: ReadonlyArray<unknown> = value
    const inside = all.flatMap((each, at) => spoilt(each).map((other) => all.with(at, other)))
    return [...wrong, ...inside]
  }
  if (!Predicate.isReadonlyRecord(value)) return wrong
  const inside = Object.entries(value).flatMap(([name, each]) =>
    spoilt(each).map((other) => ({ ...value, [name]: other }))
  )
  return [...wrong, ...inside, { ...value, unheardOf: 1 }]
}

const schemaOf = (ast: SchemaAST.AST) => Schema.make<unknown, unknown>(ast)

/** The limits that are told for spoilt values. */
const limitsOf = (ast: SchemaAST.AST, decode = Refusal.decoder(schemaOf(ast), undefined, "error")) =>
  FastCheck.sample(Arbitrary.make(schemaOf(SchemaAST.encodedAST(ast))), { numRuns: 3, seed: 7 })
    .flatMap((sample) => spoilt(sample).slice(0, 400))
    .flatMap((value) => Option.toArray(Either.getLeft(decode(value))))
    .map(({ field, limit }) => [field, limit] as const)

const isOfTheLanguage = ([, limit]: readonly [field: string, limit: string]): boolean =>
  /[|<>&{}]|\bundefined\b|readonly|Brand/i.test(limit)

it("P12 no refusal of a request shows a type of the language", () => {
  const schemas = new Map(
    Object.entries(operations).map(([name, { payload }]) => [name, SchemaAST.typeAST(payload.ast)])
  )
  HttpApi.reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, payloads }) => {
      const parts = [endpoint.pathSchema, endpoint.urlParamsSchema, endpoint.headersSchema]
      for (const [at, part] of parts.entries()) {
        if (Option.isSome(part)) schemas.set(`${endpoint.name} ${at}`, part.value.ast)
      }
      for (const { ast } of payloads.values()) schemas.set(`${endpoint.name} body`, ast)
    }
  })
  expect(schemas.size).toBeGreaterThan(60)
  for (const [name, ast] of schemas) expect([name, ...limitsOf(ast).filter(isOfTheLanguage)]).toEqual([name])
})

it("P12 no refusal of an import shows one", () => {
  const decode = Refusal.decoder(schemaOf(Export.Line.ast), undefined, "ignore")
  const kinds = SchemaAST.isUnion(Export.Line.ast) ? Export.Line.ast.types : []
  expect(kinds.length).toBeGreaterThan(10)
  for (const ast of kinds) expect(limitsOf(ast, decode).filter(isOfTheLanguage)).toEqual([])
})
