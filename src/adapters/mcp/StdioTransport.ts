/**
 * Speaks to a server that is a program, one JSON message per line. What the server can do to this side is bounded: the
 * size of a line and what is in it, and how many messages are read before other work has its turn. While messages are read,
 * nothing more is taken from its pipe.
 *
 * The server gets the environment that commands of tools get. It leads a process group of its own, with what it starts:
 * when it ends, so does the rest of the group. It ends with the process that started it, when its input closes. When
 * asked to end, it and its group have two seconds and are then killed.
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { spawn, type ChildProcessByStdio } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { codeOf } from "../ErrorCode.js"
import * as ExecEnvironment from "../node/ExecEnvironment.js"
import * as ProcessGroup from "../node/ProcessGroup.js"
import * as MessageBounds from "./MessageBounds.js"
import { Misbehaved } from "./MessageBounds.js"
import type { Program } from "./Settings.js"

/** The most bytes in a line. */
const longestLine = 8 * 1024 * 1024

/** Messages that are read in one turn of the event loop. */
const atOnce = 16

/** The most characters of its standard error that are passed on. */
const mostError = 64 * 1024

const graceMillis = 2_000

/** What a server wrote just before it ended may still be in the pipe. */
const lastWordsMillis = 50

type Running = ChildProcessByStdio<Writable, Readable, Readable>

const newline = 0x0a

export const make = (program: Program, onErrorText: (text: string) => void): Transport => {
  let running: Running | null = null
  let isOver = false
  const lines: Array<Buffer> = []
  let partial: Array<Buffer> = []
  let partialSize = 0
  let errorText = 0
  /** Done once the server and all that it started are gone. */
  let ending: Promise<unknown> | null = null

  const end = (error?: Error) => {
    if (isOver) return
    isOver = true
    if (error !== undefined) transport.onerror?.(error)
    transport.onclose?.()
  }

  const endGroup = () =>
    (ending ??= Effect.runPromise(
      running?.pid === undefined ? Effect.void : ProcessGroup.endRest(running.pid, graceMillis)
    ))

  const giveUp = (error: Error) => {
    running?.kill("SIGKILL")
    running?.stdout.destroy()
    end(error)
  }

  const readLine = (line: Buffer) => {
    const excess = MessageBounds.ofMessage()(line)
    if (excess !== null) return giveUp(excess)
    const text = line.toString("utf8").trim()
    if (text === "") return
    const message = parse(text)
    if (message !== null) transport.onmessage?.(message)
  }

  const readSome = () => {
    for (const line of lines.splice(0, atOnce)) if (!isOver) readLine(line)
    if (isOver) return
    if (lines.length > 0) setImmediate(readSome)
    else running?.stdout.resume()
  }

  const take = (chunk: Buffer) => {
    let from = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      lines.push(Buffer.concat([...partial, chunk.subarray(from, at)]))
      partial = []
      partialSize = 0
      from = at + 1
    }
    if (from < chunk.length) {
      partial.push(chunk.subarray(from))
      partialSize += chunk.length - from
    }
    if (partialSize > longestLine) return giveUp(new Misbehaved(`sent a line of over ${longestLine} bytes`))
    if (lines.length === 0) return
    running?.stdout.pause()
    readSome()
  }

  const transport: Transport = {
    start: () =>
      new Promise((resolve, reject) => {
        const env = { ...ExecEnvironment.make(process.platform, process.env, []), ...program.env }
        const child: Running = spawn(program.command, [...program.args], {
          env,
          cwd: program.cwd,
          stdio: ["pipe", "pipe", "pipe"],
          detached: process.platform !== "win32",
          windowsHide: true
        })
        running = child
        child.once("spawn", resolve)
        child.once("error", (error) => {
          reject(new Misbehaved(`could not be started (${codeOf(error)})`))
          end()
        })
        child.once("exit", (code, signal) => {
          const ended = new Misbehaved(`ended (${signal ?? `exit code ${code}`})`)
          setTimeout(() => end(ended), lastWordsMillis)
          void endGroup()
        })
        child.stdin.on("error", () => {})
        child.stdout.on("data", take)
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          const told = text.slice(0, mostError - errorText)
          errorText += told.length
          if (told !== "") onErrorText(told)
        })
      }),
    send: (message) =>
      new Promise((resolve, reject) => {
        if (running === null || isOver) return reject(new Misbehaved("is not running"))
        running.stdin.write(`${JSON.stringify(message)}\n`, (error) =>
          error ? reject(new Misbehaved(`does not read (${codeOf(error)})`)) : resolve()
        )
      }),
    close: async () => {
      const child = running
      end()
      child?.stdin.end()
      if (process.platform === "win32" && child?.exitCode === null) child.kill("SIGTERM")
      await endGroup()
    }
  }
  return transport
}

/** Returns the message in a line; null for any other line, such as what a program prints by mistake. */
const parse = (text: string): JSONRPCMessage | null => {
  try {
    const value: unknown = JSON.parse(text)
    return isMessage(value) ? value : null
  } catch {
    return null
  }
}

const isMessage = (value: unknown): value is JSONRPCMessage =>
  typeof value === "object" && value !== null && "jsonrpc" in value && value.jsonrpc === "2.0"
