/**
 * The terminal while Skein has it: `Painter`'s texts are sent to it, its keys are taken, and it is given back at the
 * end, when the process exits or fails, and before a key ends or stops it. In the background only finished lines are
 * sent, until the job comes to the foreground.
 */
import * as Ansi from "./Ansi.js"
import type * as Bottom from "./Bottom.js"
import type * as Host from "./Host.js"
import * as Keyboard from "./Keyboard.js"
import * as Painter from "./Painter.js"
import * as TerminalText from "./TerminalText.js"

/**
 * Whether keys are taken, or left to the terminal. While they are taken, the keys for signals only work between two
 * steps of the event loop, so work that is one long step leaves them. A signal may end such work immediately, so the
 * cursor then stays shown.
 */
export type Keys = "taken" | "left"

export interface Terminal {
  readonly output: Host.Output
  readonly painter: Painter.Painter
  readonly keyboard: Keyboard.Keyboard
  readonly size: () => Bottom.Size
  /** Takes the terminal and, if asked for, its keys, until `close` has been called as often. */
  readonly open: (keys: Keys) => void
  readonly close: (keys: Keys) => void
  readonly isOpen: () => boolean
  /** Sends a text of the painter's. */
  readonly send: (text: string) => void
}

/** The terminal that output goes to. */
export const make = (host: Host.Host, output: Host.Output, now: () => number): Terminal => {
  const { env, stdin } = host
  const size = (): Bottom.Size => ({ columns: output.columns || 80, rows: output.rows || 24 })
  let users = 0
  let keyUsers = 0
  let isAway = false
  let listening: ReadonlyArray<() => void> = []

  const painter = Painter.make({
    ansi: Ansi.make(!env["NO_COLOR"]),
    size,
    now,
    isShown: () => !isAway,
    hidesCursor: () => keyUsers > 0
  })
  const send = (text: string) => {
    if (text !== "") output.write(text)
  }

  const onKey = () => {
    const { question } = painter.bottom()
    if (question === null || question.typed === null) return
    const typed = TerminalText.short(keyboard.typed(), Math.max(8, size().columns - 4))
    send(painter.change({ question: { ...question, typed } }))
  }

  const onSignalKey = (signal: Host.Signal) => {
    const isFatal = host.isFatal(signal)
    if (isFatal) giveBack()
    if (signal === "SIGTSTP") send(painter.pause())
    if (isFatal || signal === "SIGTSTP") keyboard.close()
    host.signal(signal)
    // The process was not stopped if nobody is there to continue it.
    if (signal === "SIGTSTP") setImmediate(take)
  }

  const keyboard = Keyboard.make({ stdin, onKey, onSignal: onSignalKey })

  const take = () => {
    if (users === 0) return
    isAway = !host.isForeground()
    if (!isAway && stdin.isTTY === true && keyUsers > 0) keyboard.open()
    send(painter.tick())
  }

  const onContinue = () => {
    keyboard.close()
    send(painter.pause())
    take()
  }

  const giveBack = () => send(painter.end())

  const onResize = () => send(painter.tick())

  return {
    output,
    painter,
    keyboard,
    size,
    open: (keys) => {
      if (keys === "taken") keyUsers++
      if (users++ === 0) {
        output.on("resize", onResize)
        listening = [
          host.on("exit", giveBack),
          host.on("uncaughtExceptionMonitor", giveBack),
          host.on("SIGCONT", onContinue),
          () => void output.removeListener("resize", onResize)
        ]
      }
      take()
    },
    close: (keys) => {
      if (keys === "taken" && --keyUsers === 0) keyboard.close()
      if (--users > 0) return
      for (const stop of listening) stop()
      giveBack()
    },
    isOpen: () => users > 0,
    send
  }
}
