/** What a server shows to the outside: whether it is well, and numbers in the form that Prometheus reads. */
import { describe, expect } from "@effect/vitest"
import { Effect, Metric, Schema } from "effect"
import { Session } from "skein"
import { readFileSync } from "node:fs"
import { ScriptedModel } from "skein/scripted-model"
import * as TokenFolder from "../../../../src/adapters/server/access/TokenFolder.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import * as Metrics from "../../../../src/services/Metrics.js"
import * as Server from "./guarded.js"

interface Family {
  readonly help: string
  readonly type: string
  readonly samples: Map<string, number>
}

const value = (text: string): number => (text === "+Inf" ? Infinity : Number(text))

/** Parses the text format 0.0.4 strictly: each family once, its HELP, its TYPE, then its samples and no others. */
const parse = (text: string): ReadonlyMap<string, Family> => {
  const families = new Map<string, Family>()
  const lines = text.split("\n")
  expect(lines.pop()).toBe("")
  let name = ""
  let help = ""
  for (const line of lines) {
    const [, about, ofHelp] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? []
    const [, ofType, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line) ?? []
    if (about !== undefined) {
      expect(families.has(about)).toBe(false)
      name = about
      help = ofHelp ?? ""
      continue
    }
    if (ofType !== undefined) {
      expect(ofType).toBe(name)
      families.set(name, { help, type: type ?? "", samples: new Map() })
      continue
    }
    const label = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"`
    const sample = new RegExp(`^([a-zA-Z_:][\\w:]*)(\\{${label}(?:,${label})*\\})? ([0-9.e+-]+|\\+Inf)$`).exec(line)
    expect([line, sample === null]).toEqual([line, false])
    const family = families.get(name)
    const suffixes = family?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    expect([line, suffixes.some((suffix) => sample?.[1] === name + suffix)]).toEqual([line, true])
    const key = (sample?.[1] ?? "") + (sample?.[2] ?? "")
    expect([key, family?.samples.has(key)]).toEqual([key, false])
    family?.samples.set(key, value(sample?.[3] ?? ""))
  }
  return families
}

describe("metrics and health", () => {
  const it = Server.tests()

  it("follow Prometheus in names, format and counts", () =>
    Effect.gen(function* () {
      const { begin, gateway, known, model, send } = yield* Server.Guarded
      yield* model.play(ScriptedModel.text("a"))
      yield* gateway.await(yield* begin("go"))
      yield* send("GET", "/v1/nothing", known)
      const answer = yield* send("GET", "/metrics", known)
      expect([answer.status, answer.header("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"])
      const families = parse(Server.whole(answer))
      for (const [name, { help, samples, type }] of families) {
        expect([name, help === "", /\bms\b|millis/.test(name + help)]).toEqual([name, false, false])
        expect([name, type === "counter"]).toEqual([name, name.endsWith("_total")])
        if (type !== "histogram") continue
        const bounds = [...samples].filter(([key]) => key.includes("le="))
        const groupOf = (key: string) => key.replace(/,?le="[^"]*"/, "")
        for (const group of new Set(bounds.map(([key]) => groupOf(key)))) {
          const buckets = bounds.filter(([key]) => groupOf(key) === group)
          const counts = buckets.map(([, count]) => count)
          expect(counts).toEqual(counts.toSorted((one, other) => one - other))
          expect([group, buckets.at(-1)?.[0].includes(`le="+Inf"`)]).toEqual([group, true])
          const total = samples.get(group.replace("_bucket", "_count").replace("{}", ""))
          expect([group, counts.at(-1)]).toEqual([group, total])
        }
      }
      expect(
        families.get("skein_http_requests_total")?.samples.get(`skein_http_requests_total{code="404"}`)
      ).toBeGreaterThan(0)
      expect(families.get("skein_event_lag_seconds")?.type).toBe("histogram")
      expect(families.get("skein_live_runs")?.samples.size).toBe(1)
      expect(families.get("process_resident_memory_bytes")?.samples.size).toBe(1)
      const seconds = [...(families.get("skein_tool_time_seconds")?.samples.keys() ?? [])].join()
      expect(seconds === "" || seconds.includes(`le="0.00025"`)).toBe(true)
    }))

  it("have no series without its tag, and buckets for whatever a tool may take", () =>
    Effect.gen(function* () {
      const { known, send } = yield* Server.Guarded
      yield* Metric.update(
        Metric.tagged(Metrics.toolTime, "tool", "as slow as can be"),
        EngineConfig.defaults.toolTimeoutMillis
      )
      const families = parse(Server.whole(yield* send("GET", "/metrics", known)))
      const tools = families.get("skein_tool_time_seconds")?.samples ?? new Map<string, number>()
      // Other tests of this process have series as well.
      const counts = [...tools.keys()].filter((key) => key.includes("_count"))
      expect(counts.filter((key) => !/{tool="[^"]+"}/.test(key))).toEqual([])
      expect(tools.get(`skein_tool_time_seconds_count{tool="as slow as can be"}`)).toBe(1)
      const slow = [...tools].filter(([key]) => key.includes(`tool="as slow as can be"`))
      const bounds = slow.flatMap(([key, below]) => (below === 1 ? (/le="(.*?)"/.exec(key)?.[1] ?? []) : []))
      expect(bounds.length).toBeGreaterThan(1)
      const recovered = families.get("skein_recovered_runs_total")?.samples ?? new Map<string, number>()
      expect([...recovered.keys()].toSorted()).toEqual(
        ["crashed", "lease-lost", "released"].map((reason) => `skein_recovered_runs_total{reason="${reason}"}`)
      )
    }))

  it("require a token, and metrics one that sees the sessions of all owners", () =>
    Effect.gen(function* () {
      const { folder, known, send } = yield* Server.Guarded
      const wish = { scope: "read", expiresAt: null, ...Server.noCaps } as const
      const of = (name: string, owner: Session.Owner | null) =>
        Effect.map(TokenFolder.create(folder, { ...wish, name: TokenText.Name.make(name), owner }), (text) => ({
          authorization: `Bearer ${text}`
        }))
      const [all, one] = [yield* of("board", null), yield* of("ada", Session.Owner.make("ada"))]
      for (const path of ["/health", "/metrics"]) {
        expect((yield* send("GET", path)).status).toBe(401)
        expect((yield* send("GET", path, all)).status).toBe(200)
        const posted = yield* send("POST", path, known, "{}")
        expect([posted.status, posted.tag, posted.header("allow")]).toEqual([405, "MethodNotAllowed", "GET, HEAD"])
        expect((yield* send("HEAD", path, known)).body).toBe("")
      }
      expect((yield* send("GET", "/health", one)).body).toBe(`{"status":"ok"}`)
      expect((yield* send("GET", "/metrics", one)).tag).toBe("NoSuchRoute")
    }))

  it("say to a token which one it is, with an id that a new token of its name does not have", () =>
    Effect.gen(function* () {
      const { folder, known, send } = yield* Server.Guarded
      const name = TokenText.Name.make("eve")
      const owner = Session.Owner.make("eve@example")
      const make = Effect.map(
        TokenFolder.create(folder, { name, owner, scope: "read", expiresAt: null, ...Server.noCaps }),
        (text) => ({ authorization: `Bearer ${text}` })
      )
      const Me = Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({ id: Schema.String })))
      const ask = (headers: Server.Headers) => Effect.map(send("GET", "/me", headers), ({ body }) => body)
      const first = yield* make
      const said = yield* ask(first)
      expect(JSON.parse(said)).toEqual({ id: expect.any(String), name: "eve", owner: "eve@example", scope: "read" })
      expect(yield* ask(first)).toBe(said)
      yield* TokenFolder.revoke(folder, name)
      const ids = [said, yield* ask(yield* make), yield* ask(known)].map((body) => Me(body).id)
      expect(new Set(ids).size).toBe(3)
      expect([(yield* send("GET", "/me")).status, (yield* send("POST", "/me", known)).status]).toEqual([401, 405])
    }))

  it("tell balancers without a token, at /ready, whether it takes new runs", () =>
    Effect.gen(function* () {
      const { known, send } = yield* Server.Guarded
      const ready = yield* send("GET", "/ready")
      expect([ready.status, ready.body, ready.header("content-security-policy")]).toEqual([
        200,
        `{"status":"ready"}`,
        expect.stringContaining("default-src 'none'; style-src 'self'; base-uri")
      ])
      expect((yield* send("HEAD", "/ready")).status).toBe(200)
      // A kubelet calls a pod by its address.
      expect((yield* send("GET", "/ready", { host: "10.0.0.5:4747" })).status).toBe(200)
      expect((yield* send("POST", "/ready", { host: "10.0.0.5:4747" })).status).toBe(421)
      expect([(yield* send("POST", "/ready")).status, (yield* send("POST", "/ready", known)).status]).toEqual([
        401, 405
      ])
    }))

  it("include everything that the dashboard asks for", () =>
    Effect.gen(function* () {
      const { known, send } = yield* Server.Guarded
      const { body } = yield* send("GET", "/metrics", known)
      const dashboard = readFileSync(new URL("../../../../src/adapters/server/dashboard.json", import.meta.url), "utf8")
      const asked = [...new Set(dashboard.match(/\b(?:skein|process|nodejs)_[a-z_]+/g))]
      expect(asked.length).toBeGreaterThan(10)
      for (const name of asked) expect([name, body.includes(name)]).toEqual([name, true])
    }))
})
