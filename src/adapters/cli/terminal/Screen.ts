/**
 * Where a command writes and whom it can ask. Results go to stdout, everything else to stderr.
 *
 * While an effect is `live`, it alone has the bottom of the terminal: finished lines go above it for good, whatever
 * their stream. The bottom is gone when the effect ends, however it ends, and when the process exits or is stopped. A
 * dumb terminal, and one that another job has, only gets finished lines.
 *
 * Where only finished lines can be shown, a question's prompt is repeated below what comes after it, and after a line that
 * is no answer.
 *
 * Keys that were typed before a question do not count: input that waits when the question is shown is dropped, and so
 * is what is typed in the first 300 ms after that. The prompt appears when the question can be answered.
 *
 * Not guaranteed: that nothing is left behind by a process that is killed.
 */
import { Context, Duration, Effect, Fiber, Layer } from "effect"
import { codeOf } from "../../ErrorCode.js"
import { OutputFailed } from "../Failure.js"
import * as Ansi from "./Ansi.js"
import * as Bottom from "./Bottom.js"
import * as Host from "./Host.js"
import * as Keyboard from "./Keyboard.js"
import * as PlainPrompt from "./PlainPrompt.js"
import * as Terminal from "./Terminal.js"
import * as TerminalText from "./TerminalText.js"

/** The answer in a typed line; null when it must be typed again. The line is null when the input ended. */
type AnswerReader<A> = (line: string | null) => A | null

/** What is at the bottom of the terminal besides questions. */
export interface Work {
  readonly tasks: ReadonlyArray<Bottom.Task>
  /** What the program waits for; "" for nothing. */
  readonly status: string
}

export interface Service {
  /** Writes to stdout. */
  readonly write: (text: string) => Effect.Effect<void, OutputFailed>
  /** Writes whole lines to stderr. */
  readonly writeError: (text: string) => Effect.Effect<void>
  /** Writes whole lines to stderr immediately, for loggers. */
  readonly log: (lines: string) => void
  /** Columns of stdout, 80 when it is not a terminal. */
  readonly columns: Effect.Effect<number>
  /** Whether there is a terminal that can show a bottom. */
  readonly hasBottom: boolean
  /** Shows the bottom while the effect runs. */
  readonly live: <A, E, R>(effect: Effect.Effect<A, E, R>, keys: Terminal.Keys) => Effect.Effect<A, E, R>
  /** Sets what is at the bottom. Nothing is shown outside of `live`. */
  readonly show: (work: Work) => Effect.Effect<void>
  /** Whether somebody sits at a terminal and can answer. Nobody can once stdin was read to its end. */
  readonly canAsk: boolean
  /** Asks until a typed line is an answer. The question stays above, with the answer. */
  readonly ask: <A>(asked: Bottom.QuestionText, read: AnswerReader<A>) => Effect.Effect<A>
  /** The colours for stdout. */
  readonly ansi: Ansi.Ansi
}

export class Screen extends Context.Tag("skein/cli/Screen")<Screen, Service>() {}

/** How long a question is shown before what is typed counts. */
const graceMillis = 300

const tickMillis = 50

/** The room for a question's subject on a terminal that may not have a size. */
const plainSize: Bottom.Size = { columns: 80, rows: 24 }

type WriteCallback = (error?: Error | null) => void

/** Waits until what `send` sends is written. */
const written = (send: (done: WriteCallback) => void): Effect.Effect<void, OutputFailed> =>
  Effect.async((resume) =>
    send((error) => resume(error ? Effect.fail(new OutputFailed({ code: codeOf(error) })) : Effect.void))
  )

/** Waits until the input that has arrived is read. */
const inputRead = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

/**
 * A screen over the streams of a process.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (host: Host.Host) {
  const { env, stderr, stdin, stdout } = host
  // A stream without a listener ends the process when the other end goes. The write's own callback reports that too.
  for (const stream of [stdin, stdout, stderr]) stream.on("error", () => undefined)
  const clock = yield* Effect.clock
  const isDumb = env["TERM"] === "dumb"
  const output = isDumb ? undefined : [stdout, stderr].find(({ isTTY }) => isTTY === true)
  const plain = PlainPrompt.make()
  const terminal = output === undefined ? null : Terminal.make(host, output, () => clock.unsafeCurrentTimeMillis())

  const tick = Effect.sync(() => terminal?.send(terminal.painter.tick()))

  const ticking = Effect.forever(Effect.zipRight(clock.sleep(Duration.millis(tickMillis)), tick))

  const live = <A, E, R>(effect: Effect.Effect<A, E, R>, keys: Terminal.Keys): Effect.Effect<A, E, R> =>
    terminal === null
      ? effect
      : Effect.acquireUseRelease(
          Effect.zipRight(
            Effect.sync(() => terminal.open(keys)),
            Effect.forkDaemon(Effect.interruptible(ticking))
          ),
          () => effect,
          (ticker) =>
            Effect.zipRight(
              Fiber.interrupt(ticker),
              Effect.sync(() => terminal.close(keys))
            )
        )

  const sendOutput = (text: string, done: WriteCallback): void => {
    if (terminal === null && stdout.isTTY === true) return void stdout.write(plain.write(text), done)
    const isShared = terminal !== null && terminal.isOpen() && terminal.output === stdout
    stdout.write(isShared ? terminal.painter.write(text) : text, done)
  }

  const sendError = (text: string, done: WriteCallback): void => {
    if (terminal === null && stderr.isTTY === true) return void stderr.write(plain.write(text), done)
    if (terminal === null || !terminal.isOpen() || stderr.isTTY !== true) return void stderr.write(text, done)
    if (terminal.output === stderr) return void stderr.write(terminal.painter.write(text), done)
    terminal.send(terminal.painter.pause())
    stderr.write(text, done)
    terminal.send(terminal.painter.tick())
  }

  const show = ({ status, tasks }: Work) => {
    if (terminal === null || !terminal.isOpen()) return
    const before = terminal.painter.bottom().status
    const startedAt = before?.text === status ? before.startedAt : clock.unsafeCurrentTimeMillis()
    terminal.send(terminal.painter.change({ tasks, status: status === "" ? null : { text: status, startedAt } }))
  }

  /** The first line that is an answer. `again` is called for each that is not. */
  const answered = <A>(keyboard: Keyboard.Keyboard, read: AnswerReader<A>, again: () => void = () => undefined) =>
    Effect.gen(function* () {
      while (true) {
        const line = yield* keyboard.line
        const answer = read(line)
        if (answer !== null) return { line, answer }
        again()
      }
    })

  const grace = Effect.zipRight(clock.sleep(Duration.millis(graceMillis)), inputRead)

  const askAtBottom = <A>(
    { keyboard, painter, send, size }: Terminal.Terminal,
    asked: Bottom.QuestionText,
    read: AnswerReader<A>
  ) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        keyboard.open()
        send(painter.change({ question: { ...asked, typed: null } }))
      }),
      () =>
        Effect.gen(function* () {
          yield* grace
          keyboard.clear()
          send(painter.change({ question: { ...asked, typed: "" } }))
          const { answer, line } = yield* answered(keyboard, read)
          const shown = Bottom.answered(asked, TerminalText.short(line ?? "", size().columns), size())
          send(painter.change({ question: null }))
          send(painter.insert(`${shown.join("\n")}\n`))
          return answer
        }),
      () => Effect.sync(() => send(painter.change({ question: null })))
    )

  const sendPlain = (text: string): void => {
    if (text !== "") stderr.write(text)
  }

  const repeating = Effect.forever(
    Effect.zipRight(
      clock.sleep(Duration.millis(graceMillis)),
      Effect.sync(() => sendPlain(plain.tick()))
    )
  )

  const askPlainly = <A>({ prompt, subject }: Bottom.QuestionText, read: AnswerReader<A>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const keyboard = Keyboard.make({ stdin, onKey: () => undefined, onSignal: host.signal })
        keyboard.open()
        if (subject !== null) sendPlain(plain.insert(`${Bottom.subjectRows(subject, plainSize).join("\n")}\n`))
        return keyboard
      }),
      (keyboard) =>
        Effect.gen(function* () {
          yield* grace
          keyboard.close()
          keyboard.openPlain()
          sendPlain(plain.open(`  ${prompt}`))
          const reading = answered(keyboard, read, () => sendPlain(plain.again()))
          const { answer, line } = yield* Effect.raceFirst(reading, repeating)
          sendPlain(plain.close(line !== null))
          return answer
        }),
      (keyboard) =>
        Effect.sync(() => {
          keyboard.close()
          sendPlain(plain.close(false))
        })
    )

  return {
    write: (text) => written((done) => sendOutput(text, done)),
    writeError: (text) => Effect.ignore(written((done) => sendError(text, done))),
    log: (lines) => sendError(lines, () => undefined),
    columns: Effect.sync(() => stdout.columns || 80),
    hasBottom: terminal !== null,
    live,
    show: (work) => Effect.sync(() => show(work)),
    get canAsk() {
      return stdin.isTTY === true && !stdin.readableEnded && stderr.isTTY === true
    },
    ask: (asked, read) =>
      terminal === null ? askPlainly(asked, read) : live(askAtBottom(terminal, asked, read), "taken"),
    ansi: Ansi.make(terminal?.output === stdout && !env["NO_COLOR"])
  } satisfies Service
})

export const layer: Layer.Layer<Screen> = Layer.effect(
  Screen,
  Effect.suspend(() => make(Host.node()))
)
