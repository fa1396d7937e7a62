/** The guide's server as a program: it answers, and ends when it is told to, even if clients are listening. */
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Process from "../../../support/programs/Process.js"
import { listen } from "./listening.js"
import { requestOf } from "./server.js"

const read = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))

it.scopedLive("the guide's server answers, and ends on SIGTERM even if a client listens", () =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-http-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )
    const program = yield* bundle(new URL("../../../examples/readme/http.ts", import.meta.url))
    const server = yield* Process.start(process.execPath, [program], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", PORT: "0" }
    })
    const line = yield* Effect.iterate("", {
      while: (line) => !line.includes("Listening on"),
      body: () => Effect.flatten(server.line)
    })
    const port = Number(/:(\d+)"?$/.exec(line)?.[1])
    const request = requestOf(port)
    const session = read((yield* request("POST", "/v1/sessions", { body: "{}" })).json())
    const { until } = yield* listen(port, `/v1/sessions/${session.id}/events?entries=1`)
    const sent = yield* request("POST", `/v1/sessions/${session.id}/messages`, {
      body: '{"text":"What is a skein?"}'
    })
    expect(sent.status).toBe(202)
    const told = yield* until(({ event }) => event === "run.ended")
    expect(told.map(({ data }) => data).join()).toContain("Yarn, wound in one order.")
    yield* server.signal("SIGTERM")
    expect((yield* until(() => false)).map(({ event }) => event)).toEqual(["closing"])
    expect((yield* server.ended).code).toBe(0)
  })
)
