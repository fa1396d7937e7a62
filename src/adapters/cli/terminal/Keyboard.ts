/**
 * What a person types at the terminal. While the keyboard is open, the terminal itself shows nothing that is typed, and
 * input that nobody waits for is dropped. The keys for signals still send them, as in a terminal that nobody took over.
 */
import { Effect } from "effect"
import * as readline from "node:readline"
import { type Readable, Writable } from "node:stream"
import type { Signal } from "./Host.js"

export interface Options {
  readonly stdin: Readable
  /** Called when a key was typed. */
  readonly onKey: () => void
  /** Called when a key for a signal was typed. */
  readonly onSignal: (signal: Signal) => void
}

export interface Keyboard {
  readonly open: () => void
  /** Opens it for whole lines, which the terminal itself shows. */
  readonly openPlain: () => void
  readonly close: () => void
  /** The part of a line that has been typed. */
  readonly typed: () => string
  readonly clear: () => void
  /** The next line. Null when the input ends, or somebody types its end. */
  readonly line: Effect.Effect<string | null>
}

const nowhere = () =>
  new Writable({
    write: (_chunk, _encoding, done) => done()
  })

export const make = ({ onKey, onSignal, stdin }: Options): Keyboard => {
  let lines: readline.Interface | null = null
  let waiting: ((line: string | null) => void) | null = null

  const deliver = (line: string | null) => {
    const deliverTo = waiting
    waiting = null
    deliverTo?.(line)
  }

  // The terminal was closed.
  stdin.on("close", () => deliver(null))

  const onKeypress = (_text: unknown, key: { readonly sequence?: string } | undefined) => {
    if (key?.sequence === "\x1c") onSignal("SIGQUIT")
    onKey()
  }

  const openWith = (options: Omit<readline.ReadLineOptions, "input">) => {
    if (lines !== null || stdin.readableEnded || stdin.destroyed) return
    const opened = readline.createInterface({ input: stdin, ...options })
    lines = opened
    opened.on("line", deliver)
    // Readline repeats the errors of its input.
    opened.on("error", () => undefined)
    opened.on("SIGINT", () => onSignal("SIGINT"))
    opened.on("SIGTSTP", () => onSignal("SIGTSTP"))
    opened.on("close", () => {
      stdin.removeListener("keypress", onKeypress)
      if (lines !== opened) return
      // Somebody typed the end of the input; a terminal can go on after that.
      lines = null
      openWith(options)
      deliver(null)
    })
    if (options.terminal === true) stdin.on("keypress", onKeypress)
  }

  return {
    open: () => openWith({ output: nowhere(), terminal: true, historySize: 0 }),
    openPlain: () => openWith({ terminal: false }),
    close: () => {
      const opened = lines
      lines = null
      opened?.close()
    },
    typed: () => lines?.line ?? "",
    clear: () => {
      lines?.write(null, { ctrl: true, name: "e" })
      lines?.write(null, { ctrl: true, name: "u" })
    },
    line: Effect.async<string | null>((resume) => {
      if (stdin.readableEnded || stdin.destroyed) return resume(Effect.succeed(null))
      waiting = (line) => resume(Effect.succeed(line))
      return Effect.sync(() => void (waiting = null))
    })
  }
}
