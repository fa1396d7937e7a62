/**
 * One server with its page and one browser, for all tests of a file, and what a person does there. Pages that a test
 * opens must not log an error, violate the page's policy, or contact anything but the page's own server.
 */
import axe from "axe-core"
import { Context, Deferred, Effect, FiberId, Layer, ManagedRuntime, Schema, type Scope } from "effect"
import { type Inquiry, Permissions, type Session, Tool } from "skein"
import type { BrowserContext, Page, Request } from "playwright-core"
import { afterAll, expect } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { offered, served } from "./pageServer.js"

/** Calls wait at the gate of their name until a test opens it. */
const gates = new Map<string, Deferred.Deferred<void>>()
const gate = (name: string): Deferred.Deferred<void> => {
  const known = gates.get(name)
  if (known !== undefined) return known
  const made = Deferred.unsafeMake<void>(FiberId.none)
  gates.set(name, made)
  return made
}
export const opens = (name: string) => Deferred.succeed(gate(name), undefined)

export const look = Tool.make("look", {
  description: "looks",
  access: "read",
  kind: "read",
  input: { at: Schema.String }
}).handle(({ at }) => Effect.as(Deferred.await(gate(at)), `saw ${at}`), { title: ({ at }) => `Look at ${at}` })

export const shell = Tool.make("shell", {
  description: "runs",
  kind: "execute",
  input: { command: Schema.String }
}).handle(({ command }) => Effect.succeed(`ran ${command}`), {
  title: ({ command }) => command,
  commands: ({ command }) => Effect.succeed({ commands: [command], isWhole: !command.includes("\u202E") })
})

export const write = Tool.make("write", {
  description: "writes",
  kind: "edit",
  input: { path: Schema.String, content: Schema.String }
}).handle(({ path }) => Effect.succeed(`wrote ${path}`))

/** What an MCP server may ask in the middle of a call. */
const inquiry: Inquiry.Inquiry = {
  from: "files",
  text: "Which \u202Eone? <b>x</b>",
  link: "https://example.com/help",
  fields: [
    { name: "path", kind: "text", title: "Path", isRequired: true },
    { name: "count", kind: "integer", title: "Count", isRequired: false, least: 1, most: 9, initial: 3 },
    { name: "deep", kind: "boolean", title: "Deep", isRequired: false },
    { name: "as", kind: "choice", title: "As", isRequired: true, options: [{ value: "z", title: "Zip" }] }
  ]
}

export const choose = Tool.make("choose", { description: "asks", access: "read", input: {} }).handle(() =>
  Effect.map(Tool.ask(inquiry), (reply) => JSON.stringify(reply))
)

const make = Effect.gen(function* () {
  const rules = Context.get(yield* Layer.build(Permissions.layerRules([])), Permissions.Rules)
  const ruled = Permissions.byRules(Permissions.askToWrite)
  const policy: Permissions.Policy = (request) => Effect.provideService(ruled(request), Permissions.Rules, rules)
  const server = yield* served({ tools: [look, shell, write, choose], policy, offered })
  const browser = yield* Chromium.launched
  const newContext = Effect.promise(() => browser.newContext({ viewport: { width: 1280, height: 800 } }))
  /** The browser of a person who has signed in. */
  const known = yield* newContext
  const page = yield* Effect.promise(() => known.newPage())
  const code = yield* server.code
  yield* Effect.promise(async () => {
    await page.goto(`${server.origin}/#code=${code}`)
    await page.waitForSelector(".sessions")
    await page.close()
  })
  return { ...server, known, newContext, rules }
})

export class World extends Context.Tag("World")<World, Effect.Effect.Success<typeof make>>() {}

/** Makes the world of a file, which calls this once; returns what runs a test in it. */
export const world = () => {
  const runtime = ManagedRuntime.make(Layer.scoped(World, make))
  afterAll(() => runtime.dispose())
  return (test: Effect.Effect<void, unknown, World | Scope.Scope>) => () => runtime.runPromise(Effect.scoped(test))
}

/** An image of one pixel. */
export const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const violations = `
  window.violations = []
  document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective + " " + event.blockedURI))
`

/** Console lines that the test itself caused. */
const isOurs = (line: string, allowed: RegExp | undefined): boolean => allowed?.test(line) === true

interface Visit {
  readonly as?: BrowserContext
  readonly allowed?: RegExp
  /** A script that runs before those of the page. */
  readonly early?: string
}

/** Opens a page at an address. Anything that goes wrong in it fails the test at its end. */
export const visit = (path: string, { allowed, as, early = "" }: Visit = {}) =>
  Effect.gen(function* () {
    const { known, origin } = yield* World
    const faults: Array<string> = []
    const page = yield* Effect.promise(() => (as ?? known).newPage())
    page.setDefaultTimeout(60_000)
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") faults.push(message.text())
    })
    page.on("pageerror", (error) => faults.push(error.message))
    page.on("request", (request) => {
      const url = request.url()
      if (!url.startsWith(`${origin}/`) && !url.startsWith("blob:")) faults.push(`asked ${url}`)
    })
    yield* Effect.promise(() => page.addInitScript(violations + early))
    yield* Effect.addFinalizer(() =>
      Effect.promise(async () => {
        const told = await page.evaluate<ReadonlyArray<string>>("window.violations")
        await page.close()
        expect([...faults, ...told].filter((line) => !isOurs(line, allowed)).join("\n")).toBe("")
      })
    )
    yield* Effect.promise(() => page.goto(`${origin}/${path}`))
    return page
  })

/** A browser of its own. */
export const another = Effect.flatMap(World, ({ newContext }) =>
  Effect.acquireRelease(newContext, (context) => Effect.promise(() => context.close()))
)

export const live = (page: Page) => page.waitForSelector(".badge.is-live")

/** Opens a session from the list. The session that was open before is still shown, as live, for some time. */
export const choosing = async (page: Page, title: string) => {
  await page.getByRole("link", { name: title }).click()
  await page.getByRole("heading", { name: title }).waitFor()
}

/** Stops the page's clock: its timers and frames wait for `page.clock`. */
export const stopClock = async (page: Page) => {
  await page.clock.install()
  const inAnHour = "Date.now() + 3_600_000"
  await page.clock.pauseAt(await page.evaluate<number>(inAnHour))
}

/** Draws frames of a page whose clock is stopped until something is so. */
export const drawn = async (page: Page, isSo: () => Promise<boolean>) => {
  while (!(await isSo())) await page.clock.runFor(16)
}

/** Waits until what is known by now is on the screen. */
export const painted = (page: Page) =>
  page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

/** Holds the requests to an address back until it is opened: all of them, or the next one. */
export const gateAt = async (page: Page, path: RegExp, which: { readonly times?: number } = {}) => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  await page.route(
    path,
    async (route) => {
      await opened
      await route.continue()
    },
    which
  )
  return open
}

/** Has the server answer the next request to an address, and holds that answer back. */
export const lateAnswerAt = async (page: Page, path: RegExp) => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  let answer: (request: Request) => void = () => {}
  const answered = new Promise<Request>((resolve) => (answer = resolve))
  await page.route(
    path,
    async (route) => {
      const response = await route.fetch()
      answer(route.request())
      await opened
      await route.fulfill({ response })
    },
    { times: 1 }
  )
  return {
    /** Waits until the server has answered. */
    answered,
    /** Lets the page have the answer. */
    arrive: async () => {
      const request = await answered
      const arrived = page.waitForEvent("requestfinished", (finished) => finished === request)
      open()
      await arrived
      await painted(page)
    }
  }
}

export const at = ({ id }: Session.Session) => `#/${id}`
export const send = async (page: Page, text: string) => {
  await page.getByLabel("Message", { exact: true }).fill(text)
  await page.keyboard.press("Enter")
}

export const audit = async (page: Page, rule?: string) => {
  await page.evaluate(axe.source)
  const options = { resultTypes: ["violations"], ...(rule === undefined ? {} : { runOnly: [rule] }) }
  const found = await page.evaluate<ReadonlyArray<string>>(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 160)).join(" | ")))`
  )
  expect(found.join("\n")).toBe("")
}
