#!/usr/bin/env node
/** The `skein` program. Its version is answered before anything large is loaded. */
import { readFileSync } from "node:fs"

const about = readFileSync(new URL("../package.json", import.meta.url), "utf8")
const version = /"version": "([^"]*)"/.exec(about)?.[1] ?? "unknown"

if (process.argv[2] === "--version") {
  process.stdout.write(`${version}\n`)
} else {
  const { main } = await import("./cli.js")
  main(version)
}
