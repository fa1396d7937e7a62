/** Opens a page in the user's browser. */
import { Effect } from "effect"
import { spawn } from "node:child_process"

const commands: Readonly<Record<string, readonly [program: string, ...args: ReadonlyArray<string>]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""]
}

/** A program that still runs after this long is a browser. Others end at once, and fail if they have found none. */
const patience = "2 seconds"

/** Opens the URL. Returns whether a program for it was found and has not failed. */
export const open = (url: string): Effect.Effect<boolean> =>
  Effect.async<boolean>((resume) => {
    const [program, ...args] = commands[process.platform] ?? ["xdg-open"]
    const child = spawn(program, [...args, url], { detached: true, stdio: "ignore" })
    child.once("error", () => resume(Effect.succeed(false)))
    child.once("exit", (code) => resume(Effect.succeed(code === 0)))
    child.unref()
  }).pipe(Effect.timeoutTo({ duration: patience, onSuccess: (opened) => opened, onTimeout: () => true }))
