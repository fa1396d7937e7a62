/** The client in a real browser, over connections of which the first few are cut during the run. */
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { Tool } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import * as Browser from "../../../support/browser/Browser.js"
import * as Proxy from "./proxy.js"
import { served } from "./server.js"

const script = Effect.promise(async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("inBrowser.ts", import.meta.url))],
    bundle: true,
    platform: "browser",
    format: "iife",
    write: false,
    minify: true,
    alias: {
      skein: fileURLToPath(new URL("../../../../src/index.ts", import.meta.url)),
      "skein/client": fileURLToPath(new URL("../../../../src/client.ts", import.meta.url))
    }
  })
  return outputFiles[0]?.text ?? ""
})

const noop = Tool.make("noop", { description: "does nothing", input: {} }).handle(() => Effect.succeed("done"))

const Seen = Schema.Struct({
  cursors: Schema.Array(Schema.Number),
  refused: Schema.String,
  stopReason: Schema.NullOr(Schema.String)
})

Browser.describe("the client in a browser", () => {
  it.scopedLive("creates a session, gets a typed refusal, and follows a run whose stream is cut repeatedly", () =>
    Effect.gen(function* () {
      const { model, port } = yield* served({ tools: [noop] })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call(noop, {})), ScriptedModel.text("done"))
      const proxy = yield* Proxy.make(port)
      proxy.cutAfter(3)
      const browser = yield* Browser.launched
      const bundled = yield* script
      const page = yield* Effect.promise(() => browser.newPage())
      const url = `http://127.0.0.1:${proxy.port}`
      let cuts = 0
      page.on("requestfailed", () => {
        // A browser loses what it has not read by the time of a cut, so a client that is cut forever may never get
        // on.
        if (++cuts === 3) proxy.cutAfter(Number.POSITIVE_INFINITY)
      })
      yield* Effect.promise(() =>
        page.route(`${url}/page`, (route) => route.fulfill({ contentType: "text/html", body: "<title>x</title>" }))
      )
      yield* Effect.promise(() => page.goto(`${url}/page`))
      yield* Effect.promise(() => page.addScriptTag({ content: bundled }))
      const seen = Schema.decodeUnknownSync(Seen)(
        yield* Effect.promise(() => page.evaluate<unknown>(`skeinWatches(${JSON.stringify(url)})`))
      )
      expect(cuts).toBeGreaterThanOrEqual(3)
      expect(seen.refused).toBe("InvalidInput")
      expect(seen.stopReason).toBe("completed")
      expect(seen.cursors).toEqual(Array.from({ length: seen.cursors.length }, (_, index) => index + 1))
      expect(seen.cursors.length).toBeGreaterThan(8)
    })
  )
})
