/**
 * One of our programs in a process of its own, for work that would block the event loop. The program and all that it
 * starts end with the effect: signals from a terminal reach only this process.
 */
import * as Command from "@effect/platform/Command"
import * as NodeCommandExecutor from "@effect/platform-node/NodeCommandExecutor"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Fiber, Layer, Stream } from "effect"

const layer = Layer.provide(NodeCommandExecutor.layer, NodeFileSystem.layer)

/**
 * Runs a script with `input` as its standard input and passes each line of its output to `onLine`. Returns what it wrote
 * to stderr.
 */
export const run = <E, R>(
  script: string,
  args: ReadonlyArray<string>,
  onLine: (line: string) => Effect.Effect<void, E, R>,
  input: Stream.Stream<string> = Stream.empty
) =>
  Effect.gen(function* () {
    const command = Command.make(process.execPath, script, ...args)
    const { exitCode, stderr, stdout } = yield* Command.start(Command.stdin(command, Stream.encodeText(input)))
    const errors = yield* Effect.fork(Stream.mkString(Stream.decodeText(stderr)))
    yield* Stream.runForEach(Stream.splitLines(Stream.decodeText(stdout)), onLine)
    yield* Effect.exit(exitCode)
    return yield* Fiber.join(errors)
  }).pipe(Effect.scoped, Effect.provide(layer))
