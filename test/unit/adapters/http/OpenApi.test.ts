/** The OpenAPI document of the routes: it is valid and complete, and answers are as it describes them. */
import { Validator } from "@seriousme/openapi-schema-validator"
import { Ajv2020 } from "ajv/dist/2020.js"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Predicate, Stream } from "effect"
import { Gateway, Permissions, SessionEvent, Tool } from "skein"
import { SkeinHttp } from "skein/http"
import { ScriptedModel } from "skein/scripted-model"
import { served } from "./server.js"

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields => (Predicate.isReadonlyRecord(value) ? value : {})
const at = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce((one: unknown, key) => fieldsOf(one)[key], value)

const document = SkeinHttp.openApi()
const components = Object.keys(fieldsOf(at(document, "components", "schemas")))

const operations = Object.entries(fieldsOf(document["paths"])).flatMap(([path, methods]) =>
  Object.entries(fieldsOf(methods)).map(([method, operation]) => ({ path, method, operation: fieldsOf(operation) }))
)

/** The objects with fields of their own that are not components. */
const unnamed = (value: unknown): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(unnamed)
  if (!Predicate.isReadonlyRecord(value)) return []
  const own = fieldsOf(value["properties"])
  const names = value["type"] === "object" && Object.keys(own).length > 0 ? [Object.keys(own).join()] : []
  return [...names, ...Object.values(value).flatMap(unnamed)]
}

describe("the OpenAPI document", () => {
  it("is valid", async () => {
    const validator = new Validator()
    expect(await validator.validate(structuredClone(document))).toEqual({ valid: true })
    expect(validator.version).toBe("3.1")
  })

  it("has every operation of the Gateway, and a name for every object on the wire", () => {
    const ids = operations.map(({ operation }) => String(operation["operationId"]).replace(/^\w+\./, ""))
    expect([...ids, "subscribe"].sort()).toEqual(Object.keys(Gateway.operations).sort())
    expect(unnamed(document["paths"])).toEqual([])
    expect(components).toEqual(
      expect.arrayContaining(["Session", "Snapshot", "RunRef", "SessionEvent", "RunEndedEvent", "SessionHint", "Asset"])
    )
    expect(components.filter((name) => /HttpApi|^Issue$/.test(name))).toEqual([])
    const text = JSON.stringify(document)
    for (const [, name = ""] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) expect(components).toContain(name)
  })

  it("lists the statuses with which any request may be refused", () => {
    for (const { operation } of operations) {
      const statuses = Object.keys(fieldsOf(operation["responses"]))
      expect(statuses).toEqual(expect.arrayContaining(["400", "401", "404", "405", "413", "415", "422", "500", "503"]))
    }
  })

  it("describes streams and bytes", () => {
    const paths = fieldsOf(document["paths"])
    const events = at(paths, "/v1/sessions/{sessionId}/events", "get", "responses", "200", "content")
    expect(at(events, "text/event-stream", "x-event-data")).toEqual({ $ref: "#/components/schemas/SessionEvent" })
    const asset = fieldsOf(at(paths, "/v1/sessions/{sessionId}/assets/{assetId}", "get", "responses"))
    expect(Object.keys(asset)).toEqual(expect.arrayContaining(["200", "206", "304", "416"]))
    const upload = at(paths, "/v1/sessions/{sessionId}/assets", "put", "requestBody", "content")
    expect(Object.keys(fieldsOf(upload))).toEqual(["*/*"])
  })

  it.scoped("matches the answers and events that are really sent", () =>
    Effect.gen(function* () {
      const ajv = new Ajv2020({ strict: false, validateFormats: false })
      ajv.addSchema(document, "skein")
      const check = (name: string, value: unknown) => {
        const isValid = ajv.validate({ $ref: `skein#/components/schemas/${name}` }, value)
        expect([name, isValid ? [] : ajv.errors]).toEqual([name, []])
      }
      const ask = Tool.make("ask", { description: "is asked about", input: {} }).handle(() => Effect.succeed("ran"))
      const { begin, gateway, model, request, seen } = yield* served({ tools: [ask], policy: Permissions.askToWrite })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(ask, {})), ScriptedModel.text("done"))
      const ref = yield* begin("go")
      yield* seen(ref, "permission.asked")
      const get = (path: string) => Effect.map(request("GET", path), ({ json }) => json())
      const base = `/v1/sessions/${ref.sessionId}`
      check("Session", yield* get(base))
      check("Snapshot", yield* get(`${base}/snapshot`))
      check("SessionPage", yield* get("/v1/sessions"))
      check("RunRef", yield* get(`/v1/runs/${ref.runId}/ref`))
      check("Run", yield* get(`/v1/runs/${ref.runId}`))
      check("SessionNotFound", yield* get("/v1/sessions/nobody"))
      check("InvalidInput", yield* get("/v1/sessions?limit=0"))
      check("NoSuchRoute", yield* get("/v1/nothing"))
      const [question] = yield* gateway.questions()
      if (question !== undefined) {
        check("Question", yield* get(`/v1/questions/${question.id}`))
        yield* gateway.answer({ questionId: question.id, verdict: "allow-once" })
      }
      yield* gateway.await(ref)
      const { cursor } = yield* gateway.session(ref.sessionId)
      const events = yield* gateway.events({ sessionId: ref.sessionId, entries: true }).pipe(
        Stream.takeUntil((event) => SessionEvent.isDurable(event) && event.cursor === cursor),
        Stream.runCollect
      )
      for (const event of events) check("SessionEvent", JSON.parse(SessionEvent.toJson(event)))
      const entries = yield* get(`${base}/transcript`)
      for (const entry of Array.isArray(entries) ? entries : [null]) check("Entry", entry)
    })
  )
})
