/**
 * The chat page in a browser: a question that outlives a reload, and answers that are shown once, wherever the
 * connection is cut.
 */
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, it } from "@effect/vitest"
import { Cause, Context, Effect, Layer, Logger, Schema } from "effect"
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { Permissions, Tool } from "skein"
import { SkeinHttp } from "skein/http"
import { SkeinTest } from "skein/testing"
import { ScriptedModel } from "skein/scripted-model"
import * as Browser from "../support/browser/Browser.js"
import * as Proxy from "../unit/adapters/http/proxy.js"

const script = Effect.promise(async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("chat/page.tsx", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    define: { "process.env.NODE_ENV": '"production"' }
  })
  return outputFiles.map(({ text }) => text).join("")
})

const html = `<!doctype html><meta charset="utf-8"><title>Chat</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>`

const write = Tool.make("write", { description: "writes", input: { n: Schema.Int } }).handle(({ n }) =>
  Effect.succeed(`wrote ${n}`)
)

Browser.describe("the chat page", () => {
  it.scopedLive("keeps its question when reloaded, and shows each answer once", () =>
    Effect.gen(function* () {
      const javascript = yield* script
      const failures: Array<string> = []
      const log = Logger.make((options) => {
        if (!Cause.isInterruptedOnly(options.cause)) failures.push(Logger.logfmtLogger.log(options))
      })
      const engine = yield* Layer.build(
        SkeinTest.layer({ tools: [write], policy: () => Effect.succeed(Permissions.ask) })
      )
      yield* Context.get(engine, ScriptedModel.ScriptedModel).play(
        { text: "I write it down.", calls: [ScriptedModel.call(write, { n: 7 })] },
        ScriptedModel.text("It is written."),
        ScriptedModel.text("This was cut, and is whole.")
      )
      const server = HttpLayerRouter.serve(
        Layer.mergeAll(
          SkeinHttp.layerRouter("/skein"),
          HttpLayerRouter.add("GET", "/", HttpServerResponse.text(html, { contentType: "text/html" })),
          HttpLayerRouter.add(
            "GET",
            "/page.js",
            HttpServerResponse.text(javascript, { contentType: "text/javascript" })
          )
        )
      ).pipe(
        Layer.provideMerge(NodeHttpServer.layer(SkeinHttp.createServer, { port: 0, host: "127.0.0.1" })),
        Layer.provide([SkeinHttp.everybody, Layer.succeedContext(engine), Logger.replace(Logger.defaultLogger, log)]),
        Layer.orDie
      )
      const context = yield* Layer.build(server)
      const { address } = Context.get(context, HttpServer.HttpServer)
      const port = address._tag === "TcpAddress" ? address.port : 0
      const proxy = yield* Proxy.make(port, "data")
      const browser = yield* Browser.launched
      const shown = yield* Effect.promise(async () => {
        const page = await browser.newPage()
        const errors: Array<string> = []
        page.setDefaultTimeout(20_000)
        page.on("pageerror", (error) => errors.push(error.message))
        await page.goto(`http://127.0.0.1:${proxy.port}`)
        await page.getByLabel("Message").fill("Seven, please")
        await page.getByLabel("Message").press("Enter")
        await page.getByRole("button", { name: "Allow" }).waitFor()
        await page.reload()
        await page.getByRole("button", { name: "Allow" }).click()
        await page.getByText("It is written.").waitFor()
        const live = await page.locator("section").allInnerTexts()
        await page.reload()
        await page.getByText("It is written.").waitFor()
        const again = await browser.newPage()
        proxy.cutAfter(3)
        await again.goto(`http://127.0.0.1:${proxy.port}/?chat=cut`)
        await again.getByLabel("Message").fill("Go on")
        await again.getByLabel("Message").press("Enter")
        await again.locator("output", { hasText: "error" }).waitFor()
        const wasCut = !(await again.locator("section").allInnerTexts()).join().includes("whole")
        proxy.cutAfter(Infinity)
        await again.getByText("This was cut, and is whole.").waitFor()
        const whole = await again.locator("section").allInnerTexts()
        return { wasCut, whole, live, loaded: await page.locator("section").allInnerTexts(), errors }
      })
      const messages = ["Seven, please", 'I write it down.\n\nwrite {"n":7} output-available\n\nIt is written.']
      assert.deepStrictEqual(shown, {
        live: messages,
        loaded: messages,
        wasCut: true,
        whole: ["Go on", "This was cut, and is whole."],
        errors: []
      })
      assert.deepStrictEqual(failures, [])
    })
  )
})
