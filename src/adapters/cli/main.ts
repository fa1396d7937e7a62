#!/usr/bin/env node
/** The `skein` program. Version and help load nothing else, wrong usage nothing of the engine. */
import { readFileSync } from "node:fs"
import * as CommandLine from "./CommandLine.js"
import * as CompileCache from "./CompileCache.js"
import * as Help from "./Help.js"
import * as Shortage from "./Shortage.js"

const about = readFileSync(new URL("../package.json", import.meta.url), "utf8")
const version = /"version": "([^"]*)"/.exec(about)?.[1] ?? "unknown"

/** A reader that is gone ends the output, and is not a failure. */
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined)

const request = CommandLine.read(process.argv.slice(2))
try {
  switch (request._tag) {
    case "Version":
      process.stdout.write(`${version}\n`)
      break
    case "Help":
      process.stdout.write(Help.render(request.of, version, process.stdout.columns || 80))
      break
    case "Wrong": {
      const TerminalText = await import("./terminal/TerminalText.js")
      process.stderr.write(`skein: ${TerminalText.line(request.detail)}\n`)
      process.exitCode = 2
      break
    }
    case "Call": {
      // Other users see command lines; the URL of a database may have a password.
      if (request.values.value("database") !== null) process.title = "skein"
      CompileCache.keep()
      if (request.command.name === "acp" && !(await (await import("./AcpFront.js")).start(version))) break
      const { main } = await import("./cli.js")
      main(request.command, request.values, version)
    }
  }
} catch (thrown) {
  const text = Shortage.textOf(thrown)
  if (text === null) throw thrown
  process.stderr.write(`skein: ${text}\n`)
  process.exitCode = 1
}
