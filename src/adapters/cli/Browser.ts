/** Opens a page in the user's browser. */
import { Effect } from "effect"
import { spawn } from "node:child_process"

const commands: Readonly<Record<string, readonly [program: string, ...args: ReadonlyArray<string>]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""]
}

/** Opens the URL. Returns whether a program for it was found. */
export const open = (url: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const [program, ...args] = commands[process.platform] ?? ["xdg-open"]
    const child = spawn(program, [...args, url], { detached: true, stdio: "ignore" })
    child.once("error", () => resume(Effect.succeed(false)))
    child.once("spawn", () => {
      child.unref()
      resume(Effect.succeed(true))
    })
  })
