/**
 * Other frameworks that turns are compared with. They bring dozens of packages, so they are not dependencies: `npm run
 * bench -- --peers` installs these versions into a folder of their own. Each has a program in `peers`, which is copied
 * there so that it finds its packages.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Predicate } from "effect"

export interface Peer {
  readonly name: string
  /**
   * Prepares turns with `count` tools that do nothing, stored in a folder; resolves to a function that runs one turn.
   */
  readonly open: (folder: string, count: number) => Promise<Turn>
}

const packages = [
  "ai@6.0.325",
  "zod@4.6.7",
  "@langchain/core@1.4.0",
  "@langchain/langgraph@1.7.3",
  "@langchain/langgraph-checkpoint@1.2.2",
  "@langchain/langgraph-checkpoint-sqlite@1.0.4"
]

const folder = join(tmpdir(), "skein-bench-peers")

/**
 * Installs the packages, with this project's better-sqlite3 instead of a second copy that would have to be compiled.
 */
export const install = (): void => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"]
  const { status } = spawnSync("npm", ["install", ...flags, ...packages], { cwd: folder, stdio: "inherit" })
  if (status !== 0) throw new Error("npm cannot install the peers")
  const driver = join(folder, "node_modules", "better-sqlite3")
  rmSync(driver, { recursive: true, force: true })
  symlinkSync(resolve("node_modules/better-sqlite3"), driver)
}

export const areInstalled = (): boolean => existsSync(join(folder, "node_modules", "better-sqlite3", "build"))

type Turn = () => Promise<unknown>

const isOpen = (value: unknown): value is (folder: string, count: number) => Promise<unknown> =>
  Predicate.isFunction(value)
const isTurn = (value: unknown): value is Turn => Predicate.isFunction(value)

const peer = (name: string, program: string): Peer => ({
  name,
  open: async (at, count) => {
    copyFileSync(join("test/bench/peers", program), join(folder, program))
    const loaded: unknown = await import(pathToFileURL(join(folder, program)).href)
    if (!Predicate.hasProperty(loaded, "open") || !isOpen(loaded.open)) throw new Error(`${program}: no open`)
    const turn = await loaded.open(at, count)
    if (!isTurn(turn)) throw new Error(`${program}: no turn`)
    return turn
  }
})

export const aiSdk = peer("the AI SDK and three rows at FULL", "ai-sdk.mjs")
export const langGraph = peer("LangGraph v2 and its SqliteSaver at FULL", "langgraph.mjs")
