/**
 * The cost of loading Skein: the command's start, imports, and a bundled host. Each is compared with what is needed
 * without Skein.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { build } from "esbuild"
import * as Measure from "./Measure.js"
import * as Raw from "./Raw.js"
import type { Row } from "./Row.js"

const rounds = 11

/** Milliseconds until a process ends. */
const untilEnd = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): number => {
  const from = performance.now()
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" })
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`)
  return performance.now() - from
}

/** Milliseconds until a process prints something. */
const untilOutput = async (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<number> => {
  const from = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] })
  const closed = once(child, "close")
  await once(child.stdout, "data")
  const millis = performance.now() - from
  child.stdout.resume()
  await closed
  return millis
}

/**
 * The command's ways to start, against `node -e 0`. First starts are not measured, because Node caches the compiled
 * code.
 */
export const starts = async (aim: string): Promise<Row> => {
  const folder = Raw.folder()
  const script = join(folder, "answer.json")
  writeFileSync(script, JSON.stringify([{ text: "done" }]))
  const env = { ...process.env, HOME: folder, SKEIN_DATA: join(folder, "data"), SKEIN_MODEL: `script/${script}` }
  const run = ["dist/skein.mjs", "run", "--json", "go"]
  const once = async () => ({
    bare: untilEnd(["-e", "0"], env),
    version: untilEnd(["dist/skein.mjs", "--version"], env),
    list: untilEnd(["dist/skein.mjs", "sessions", "list"], env),
    run: await untilOutput(run, env)
  })
  try {
    await untilOutput(run, env)
    await once()
    const all: Array<Awaited<ReturnType<typeof once>>> = []
    for (let round = 0; round < rounds; round++) all.push(await once())
    const factor = (what: "list" | "run" | "version") => Measure.median(all.map((one) => one[what] / one.bare))
    const numbers = { version: factor("version"), list: factor("list"), run: factor("run") }
    return {
      name: "skein --version, sessions list, first event of run, against node -e 0",
      value: `${numbers.version.toFixed(1)}x, ${numbers.list.toFixed(1)}x, ${numbers.run.toFixed(1)}x the time`,
      aim,
      numbers
    }
  } finally {
    Raw.remove(folder)
  }
}

/** Milliseconds of CPU that a process uses to import a module of the built package. */
const importing = (name: string): number => {
  const code = `const before = process.cpuUsage(); await import(${JSON.stringify(name)})
    const { system, user } = process.cpuUsage(before); process.stdout.write(String((system + user) / 1000))`
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8"
  })
  if (status !== 0) throw new Error(`cannot import ${name}: ${stderr}`)
  return Number(stdout)
}

/** `import "skein/node"` against `import "effect"`. Needs `npm run build`. */
export const imports = async (aim: string): Promise<Row> => {
  const all = Array.from({ length: rounds }, () => ({ theirs: importing("effect"), ours: importing("skein/node") }))
  const cost = Measure.median(all.map(({ ours, theirs }) => ours / theirs))
  return {
    name: 'import "skein/node", against import "effect"',
    value: `CPU ${cost.toFixed(2)}x`,
    aim,
    numbers: { cost }
  }
}

const bytesOf = async (contents: string): Promise<number> => {
  const { outputFiles } = await build({
    stdin: { contents, loader: "ts", resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["better-sqlite3"],
    write: false,
    logLevel: "warning"
  })
  return outputFiles[0]?.contents.length ?? Number.NaN
}

const host = `
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import { Agents, Gateway, Model, Permissions, Run } from "./src/index.js"
import { SkeinNode } from "./src/node.js"
const Live = SkeinNode.layer({ data: "data" }).pipe(
  Layer.provide(Agents.layer({ models: Model.always({ provider: "none" }), policy: Permissions.askToWrite }))
)
const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const { id } = yield* gateway.create({ workdir: "/" })
  yield* Run.await(yield* gateway.send({ sessionId: id, text: "go" }))
})
NodeRuntime.runMain(program.pipe(Effect.provide(Live)))`

/** A bundled and minified host, against the smallest program of Effect: with the package's barrel, and without it. */
export const bundle = async (aim: string): Promise<Row> => {
  const smallest = `import { Effect } from "effect"\nNodeRuntime.runMain(Effect.void)\n`
  const ours = await bytesOf(host)
  const barrel = await bytesOf(`import { NodeRuntime } from "@effect/platform-node"\n${smallest}`)
  const bare = await bytesOf(`import * as NodeRuntime from "@effect/platform-node/NodeRuntime"\n${smallest}`)
  return {
    name: "a bundled host, against effect with NodeRuntime alone",
    value: `${(ours / barrel).toFixed(2)}x (${(ours / bare).toFixed(1)}x where NodeRuntime is imported without its barrel)`,
    aim,
    numbers: { ours, barrel, bare }
  }
}
