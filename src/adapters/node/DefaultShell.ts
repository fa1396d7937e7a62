/** The shell that runs command lines unless another one is named: bash, else sh; on Windows the command interpreter. */
import { existsSync } from "node:fs"

export const defaultShell = (): string =>
  process.platform === "win32"
    ? (process.env["COMSPEC"] ?? "cmd.exe")
    : (["/bin/bash", "/usr/bin/bash"].find((path) => existsSync(path)) ?? "/bin/sh")
